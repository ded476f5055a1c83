"""The page of a run: every image small, and beside it what each member made of it."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.outputs import Line
from prompt_ensemble.images.thumbnails import data_address
from prompt_ensemble.run.prediction import Prediction

IMAGES_SHOWN = 200
"""More would make a page that no browser likes; the table in predictions.csv has them all."""
LINES_SHOWN = 8

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
article { display: flex; gap: 1rem; padding: 1rem 0; border-top: 1px solid #8884; }
article img { width: 10rem; height: 10rem; object-fit: contain; background: #8882; flex: none; }
h2 { font-size: 1rem; margin: 0; } h3 { font-size: .8rem; margin: .5rem 0 0; opacity: .7; }
ul { margin: 0; padding-left: 1.2rem; } small { opacity: .6; }
table { border-collapse: collapse; } td, th { padding: .1rem 1rem .1rem 0; text-align: left; }
@media (max-width: 40rem) { article { flex-direction: column; } }
"""


def write_report(prediction: Prediction, path: Path) -> None:
    """One HTML file without a script or a link, readable from disk and on a phone."""
    write_atomically(path, "".join(page(prediction)))


def page(prediction: Prediction) -> Iterator[str]:
    """The page, piece by piece."""
    album = prediction.album
    yield '<!doctype html><html lang="en"><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width"><title>prompt-ensemble</title>'
    yield f"<style>{STYLE}</style><h1>{len(album.image_ids)} images</h1>"
    yield f"<p>Preset <b>{escape(prediction.config.name)}</b> on {prediction.placement}. "
    yield f"{escape(prediction.config.description)}</p>"
    yield from member_table(prediction)
    yield from (f"<p>Not readable: {escape(bad.reason)}</p>" for bad in album.bad)
    for row in range(min(len(album.good), IMAGES_SHOWN)):
        yield from article(prediction, row)
    if len(album.good) > IMAGES_SHOWN:
        yield f"<p>The first {IMAGES_SHOWN} images; all of them stand in predictions.csv.</p>"
    yield "</html>\n"


def member_table(prediction: Prediction) -> Iterator[str]:
    """Members with their weights and times."""
    yield "<table><tr><th>member<th>weight<th>seconds"
    for member in prediction.finished:
        seconds = prediction.members[member.name].seconds.sum()
        share = prediction.weights.members.get(member.name, 0)
        yield f"<tr><td>{escape(member.name)}<td>{share:g}<td>{seconds:.2f}"
    yield "</table>"


def article(prediction: Prediction, row: int) -> Iterator[str]:
    """One image and what was said of it."""
    image = prediction.album.good[row]
    image_id = escape(image.image_id)
    source = data_address(image.load())
    yield f'<article><img alt="{image_id}" src="{source}"><div><h2>{image_id}</h2>'
    for name, result in prediction.members.items():
        if result.outputs.lines[row]:
            yield f"<h3>{escape(name)}</h3>"
            yield from said(result.outputs.lines[row])
    yield "</div></article>"


def said(lines: tuple[Line, ...]) -> Iterator[str]:
    """What one member said."""
    yield "<ul>"
    for line in lines[:LINES_SHOWN]:
        yield f"<li>{escape(line.text)} <small>{escape(line.kind)} {line.score:.2f}</small></li>"
    yield "</ul>"

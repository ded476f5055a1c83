"""The page of an evaluation: one HTML file that opens from disk, on a phone too.

Everything is inside the file, and its content policy forbids the browser to ask for more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from prompt_ensemble.core.intervals import Score
from prompt_ensemble.evaluation.figures import figures
from prompt_ensemble.images.decode import load_image
from prompt_ensemble.images.thumbnails import data_address

if TYPE_CHECKING:
    from prompt_ensemble.core.intervals import Difference
    from prompt_ensemble.evaluation.evaluate import Evaluation

SHOWN = 60
"""Images at either end that stand in the page; the table in images.csv has them all."""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

Cell = str | float | Score
Row = Sequence[Cell]


def page(
    evaluation: Evaluation,
    images: Mapping[str, Path],
    against: Mapping[str, Difference] | None = None,
) -> str:
    """The whole page; ``images`` are files for the thumbnails, by image id."""
    return "".join(pieces(evaluation, images, against or {}))


def pieces(
    evaluation: Evaluation, images: Mapping[str, Path], against: Mapping[str, Difference]
) -> Iterator[str]:
    """The page, piece by piece."""
    title = f"Evaluation of {evaluation.name}"
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(title)}</title><style>{asset('page.css')}</style></head>"
    yield f"<body><h1>{escape(title)}</h1>"
    for leak in evaluation.leaks:
        yield f'<p class="leak" role="alert">{escape(leak)}.</p>'
    leading = evaluation.leading
    yield f"<p>{escape(leading)}: mean cosine <b>{escape(str(evaluation.scores[leading]))}</b>, "
    yield f"{evaluation.groups} groups of prompts. Intervals resample whole groups.</p>"
    yield "<h2>Scores</h2>"
    yield from table(SCORE_COLUMNS, score_rows(evaluation))
    yield f"<p>Control that never looks: {escape(str(evaluation.constant))}, the mean of all "
    yield "other prompts. “Shuffled” is the mean over pairings with other prompts.</p>"
    if against:
        yield "<h2>Gain over the other run</h2>"
        yield from table(("prediction", "gain (95% interval), p-value"), gain_rows(against))
    yield "<h2>Plots</h2>"
    for caption, svg in figures(evaluation):
        yield f'<figure role="img" aria-label="{escape(caption)}">{svg}'
        yield f"<figcaption>{escape(caption)}</figcaption></figure>"
    for label, parts in (("source", evaluation.by_source), ("length", evaluation.by_length)):
        if parts:
            yield f"<h2>By {label} of the prompt</h2>"
            names = list(evaluation.scores)
            yield from table((label, "images", *names), part_rows(parts, names))
    yield from image_section(evaluation, images)
    yield f"<script>{asset('page.js')}</script></body></html>\n"


SCORE_COLUMNS = (
    "prediction", "score (95%)", "shuffled", "median rank",
    "recall@1", "recall@5", "recall@10", "weight", "loss without", "s / image", "MB",
)  # fmt: skip


def score_rows(evaluation: Evaluation) -> Iterator[Row]:
    """One row a prediction, the best first."""
    for name, score in evaluation.scores.items():
        found = evaluation.retrieval[name]
        loss = evaluation.loss_without.get(name)
        yield (
            name, score, evaluation.shuffled[name],
            found.median_rank, found.recall_at_1, found.recall_at_5, found.recall_at_10,
            evaluation.weights.get(name, ""), loss.mean if loss else "",
            evaluation.seconds.get(name, ""), evaluation.memory.get(name, ""),
        )  # fmt: skip


def gain_rows(against: Mapping[str, Difference]) -> Iterator[Row]:
    """Paired differences to the other run."""
    for name, gain in against.items():
        yield name, str(gain)


def part_rows(parts: Mapping[str, Mapping[str, Score]], names: Sequence[str]) -> Iterator[Row]:
    """One row a source or bucket."""
    for label, scores in parts.items():
        images = float(next(iter(scores.values())).images)
        yield label, images, *(scores[name] for name in names)


def table(columns: Iterable[str], rows: Iterable[Row]) -> Iterator[str]:
    """A sortable table of words and numbers."""
    yield f'<div class="scroll"><table><thead><tr>{head(columns)}</tr></thead><tbody>'
    for row in rows:
        yield f"<tr>{''.join(map(cell, row))}</tr>"
    yield "</tbody></table></div>"


def head(columns: Iterable[str]) -> str:
    """Column names that can be pressed."""
    return "".join(f"<th><button>{escape(name)}</button></th>" for name in columns)


def cell(value: Cell, label: str = "") -> str:
    """One cell; numbers carry their value, so that they sort as numbers."""
    said = f' data-label="{escape(label)}"' if label else ""
    if isinstance(value, str):
        return f"<td{said}>{escape(value)}</td>"
    if isinstance(value, Score):
        text = f"{value.mean:.4f}"
        if value.low is not None and value.high is not None:
            text += f" <small>{value.low:.4f} to {value.high:.4f}</small>"
        return f'<td class="number" data-value="{value.mean:.9g}"{said}>{text}</td>'
    places = 0 if float(value).is_integer() else 4 if abs(value) < 10 else 1
    number = f"{value:.{places}f}"
    return f'<td class="number" data-value="{value:.9g}"{said}>{number}</td>'


def image_section(evaluation: Evaluation, images: Mapping[str, Path]) -> Iterator[str]:
    """The best and the worst images with what was said of them."""
    scores = evaluation.cosines[evaluation.leading]
    order = np.argsort(-scores, kind="stable")
    chosen = order if len(order) <= 2 * SHOWN else np.r_[order[:SHOWN], order[-SHOWN:]]
    speaking = [name for name in evaluation.texts if name in evaluation.scores]
    members = [name for name in evaluation.scores if name != evaluation.leading]
    columns = ["image", "id", "true prompt", evaluation.leading, *members]
    columns += [f"{name} says" for name in speaking]
    if evaluation.sources:
        columns.append("source")
    yield f"<h2>Images, best first</h2><p>{len(chosen)} of {len(order)}; all of them stand in "
    yield 'images.csv.</p><p><label>Search <input type="search" id="search"></label> '
    yield f'<span id="shown" role="status">{len(chosen)} shown</span></p>'
    yield f'<div class="scroll"><table class="images"><thead><tr>{head(columns)}</tr></thead>'
    yield "<tbody>"
    for row in chosen:
        image_id = evaluation.image_ids[row]
        cells: list[Cell] = [image_id, evaluation.prompts.get(image_id, "")]
        cells += [float(evaluation.cosines[name][row]) for name in (evaluation.leading, *members)]
        cells += [evaluation.texts[name].get(image_id, "") for name in speaking]
        cells += [evaluation.sources.get(image_id, "")] if evaluation.sources else []
        yield f"<tr><td>{picture(evaluation, image_id, images)}</td>"
        yield "".join(map(cell, cells, columns[1:])) + "</tr>"
    yield "</tbody></table></div>"


def picture(evaluation: Evaluation, image_id: str, images: Mapping[str, Path]) -> str:
    """The thumbnail, if the file is known; its alternative text is the true prompt."""
    if image_id not in images:
        return ""
    said = escape(evaluation.prompts.get(image_id, "") or image_id)
    return f'<img loading="lazy" alt="{said}" src="{data_address(load_image(images[image_id]))}">'


def asset(name: str) -> str:
    """The style or the script, which are files of their own to be read as what they are."""
    return (resources.files("prompt_ensemble.evaluation") / name).read_text(encoding="utf-8")

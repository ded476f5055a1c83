"""The page of a run: every image small, next to the texts that members gave it."""

from __future__ import annotations

from pathlib import Path

from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.html import render
from prompt_ensemble.images.thumbnails import data_address
from prompt_ensemble.run.prediction import Prediction

_IMAGES_SHOWN = 200
"""More would make a page that no browser likes; the table in predictions.csv has them all."""
LINES_SHOWN = 8


def write_report(prediction: Prediction, path: Path) -> None:
    """One HTML file without a script or a link, readable from disk and on a phone."""
    page = render(
        "prompt_ensemble.run", "page.html", title="prompt-ensemble", prediction=prediction,
        data_address=data_address, images_shown=_IMAGES_SHOWN, lines_shown=LINES_SHOWN,
    )  # fmt: skip
    write_atomically(path, page)

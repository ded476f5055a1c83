"""What the captioner of the preset says of left-out images, in a table beside the predictions."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.records import read_table

_TABLE = "captions.csv"


def write_captions(captions: Mapping[str, Sequence[str]], folder: Path) -> None:
    """A row for each caption of each image, the likeliest of an image first."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["imgId", "caption"])
    table.writerows((name, caption) for name, said in captions.items() for caption in said)
    write_atomically(folder / _TABLE, text.getvalue())


def read_captions(folder: Path) -> dict[str, list[str]]:
    """Image id to captions; empty where no captioner was asked."""
    file = folder / _TABLE
    captions: dict[str, list[str]] = {}
    if file.is_file():
        for row in read_table(file, "captions of left-out images", "imgId", "caption"):
            captions.setdefault(row["imgId"], []).append(row["caption"])
    return captions

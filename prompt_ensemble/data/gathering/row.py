"""A row of the table of everything that was looked at: kept as a pair, or left out and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from prompt_ensemble.core.files import atomic_file

UNREADABLE = "unreadable"
NO_PROMPT = "no prompt"
TOO_LONG = "prompt too long"
NOTHING_LEFT = "prompt is empty once cleaned"
SMALL = "too small"
UNSAFE = "unsafe words"
LANGUAGE = "other language"
SAME_IMAGE = "near-duplicate image"
SAME_PROMPT = "enough images of its prompt"
NEAR_PROMPT = "near-duplicate prompt"


@dataclass(frozen=True)
class Row:
    """An image of a source, what is known of it, and whether it is kept."""

    source: str
    name: str
    left_out: str = ""
    """Why; empty if it is kept."""
    detail: str = ""
    prompt: str = ""
    original: str = ""
    """The prompt as it was found."""
    negative: str = ""
    seed: str = ""
    sampler: str = ""
    model: str = ""
    tool: str = ""
    certainty: str = ""
    kinds: str = ""
    language: str = ""
    unsafe: str = ""
    width: int = 0
    height: int = 0
    digest: str = ""
    """SHA-256 of the image's file."""
    hash: int = 0
    """Perceptual hash of its pixels."""
    suffix: str = ""
    """Of the picture that is written for it."""


_KINDS = {"str": pyarrow.string(), "int": pyarrow.int32()}
SCHEMA = pyarrow.schema(
    [
        (field.name, pyarrow.uint64() if field.name == "hash" else _KINDS[str(field.type)])
        for field in fields(Row)
    ]
)


def write_rows(path: Path, rows: list[Row]) -> None:
    """Rows as a Parquet file that is whole or absent."""
    with atomic_file(path) as file:
        pyarrow.parquet.write_table(table_of(rows), file, compression="zstd")


def table_of(rows: list[Row]) -> pyarrow.Table:
    """Rows as a table of Arrow."""
    return pyarrow.Table.from_pylist([asdict(row) for row in rows], SCHEMA)


def read_rows(path: Path) -> list[Row]:
    """The rows of a file of ours."""
    return [Row(**values) for values in _read(path, None).to_pylist()]


def read_columns(path: Path, *names: str) -> dict[str, list[Any]]:
    """Some columns alone."""
    columns: dict[str, list[Any]] = _read(path, list(names)).to_pydict()
    return columns


def _read(path: Path, columns: list[str] | None) -> pyarrow.Table:
    # Not by ``read_table``, which takes a folder called ``size=512`` for one more column.
    with pyarrow.parquet.ParquetFile(path) as file:
        return file.read(columns)

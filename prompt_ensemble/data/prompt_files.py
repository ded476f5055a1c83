"""Prompts from files of text, tables, JSON lines and parquet; read as a stream and written."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TextIO

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.records import objects_of, reading

PROMPT = "prompt"
"""The column or key that holds prompts, unless a parquet file names another."""
_ROWS_PER_READ = 65_536


def read_prompts(paths: Iterable[Path]) -> list[str]:
    """All prompts in the order of files and lines, on one line each; empty ones are left out."""
    return list(stream_prompts(paths))


def stream_prompts(paths: Iterable[Path], column: str = PROMPT) -> Iterator[str]:
    """The same one after another; ``column`` is that of parquet files."""
    for path in paths:
        prompts = _of_parquet(path, column) if path.suffix == ".parquet" else _of_text(path)
        for prompt in prompts:
            flat = " ".join(prompt.split()) if prompt else ""
            if flat:
                yield flat


def in_shards(prompts: Iterator[str], rows: int) -> Iterator[Sequence[str]]:
    """Prompts, ``rows`` at a time."""
    while shard := list(islice(prompts, rows)):
        yield shard


def write_prompts(path: Path, prompts: Iterable[str]) -> None:
    """One prompt a line."""
    write_atomically(path, "".join(f"{prompt}\n" for prompt in prompts))


def _of_text(path: Path) -> Iterator[str]:
    """The prompts of a file: ``.csv`` by its column, ``.jsonl`` by its key, others by lines."""
    with reading(path, "prompts in UTF-8"), path.open(newline="", encoding="utf-8") as file:
        if path.suffix == ".csv":
            yield from _of_table(file)
        elif path.suffix == ".jsonl":
            yield from _of_json_lines(file, path)
        else:
            yield from file


def _of_table(file: TextIO) -> Iterator[str]:
    """The column of a CSV file."""
    table = csv.DictReader(file)
    if PROMPT not in (table.fieldnames or ()):
        raise ValueError(f"its columns are {table.fieldnames}; expected one named 'prompt'")
    return (row[PROMPT] or "" for row in table)


def _of_json_lines(file: TextIO, path: Path) -> Iterator[str]:
    """The key of each JSON object, one a line."""
    for where, record in objects_of(file, path, "an object with a prompt"):
        if PROMPT not in record:
            raise BadConfig(f"{where} has the keys {list(record)}; expected one named 'prompt'")
        yield str(record[PROMPT])


def _of_parquet(path: Path, column: str) -> Iterator[str | None]:
    """One column of a parquet file, some rows at a time."""
    import pyarrow
    import pyarrow.parquet as parquet

    with reading(path, "parquet"):
        table = parquet.ParquetFile(path)
    names = table.schema_arrow.names
    if column not in names:
        raise BadConfig(
            f"{path} has the columns {', '.join(names)}, none named {column!r}; "
            "name the prompts' column with --column"
        )
    kind = table.schema_arrow.field(column).type
    if not (pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)):
        raise BadConfig(
            f"{path}: the column {column!r} holds {kind}, not text; "
            "name the prompts' column with --column"
        )
    with table, reading(path, "parquet"):
        for batch in table.iter_batches(_ROWS_PER_READ, columns=[column]):
            yield from batch.column(0).to_pylist()

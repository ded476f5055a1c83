"""Where a neighbour bank's prompts come from: text files, CSV and parquet, read as a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.records import reading
from prompt_ensemble.data.prompt_files import prompts_of

ROWS_PER_READ = 65_536


def stream_prompts(paths: Iterable[Path], column: str = "prompt") -> Iterator[str]:
    """Prompts in the order of files and rows, each on one line; empty ones are left out."""
    for path in paths:
        if path.suffix == ".parquet":
            prompts: Iterator[Any] = parquet_prompts(path, column)
        else:
            prompts = prompts_of(path)
        for prompt in prompts:
            flat = " ".join(prompt.split()) if prompt else ""
            if flat:
                yield flat


def parquet_prompts(path: Path, column: str) -> Iterator[str | None]:
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
        for batch in table.iter_batches(ROWS_PER_READ, columns=[column]):
            yield from batch.column(0).to_pylist()


def in_shards(prompts: Iterator[str], rows: int) -> Iterator[Sequence[str]]:
    """The same prompts, ``rows`` at a time."""
    while shard := list(islice(prompts, rows)):
        yield shard

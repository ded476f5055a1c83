"""Images as bytes in the rows of Parquet files, and of what ``datasets`` saves to a disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from prompt_ensemble.core.errors import UnreadableImage
from prompt_ensemble.core.records import reading
from prompt_ensemble.data.gathering.sources.candidate import Candidate, SideInformation

_ROWS_AT_ONCE = 16
"""Rows in memory; with images of some megabytes a whole group of rows would fill it."""
_BYTES = "bytes"
_PATH = "path"


@dataclass(frozen=True)
class ImageRows:
    """The rows of one file."""

    name: str
    path: Path
    column: str
    rows: int

    def __len__(self) -> int:
        return self.rows

    @property
    def fingerprint(self) -> str:
        """Size and time of the file."""
        status = self.path.stat()
        return f"{status.st_size} {status.st_mtime_ns}"

    def candidates(self, first: int, last: int) -> Iterator[Candidate]:
        """Rows from one place up to another; a fault in the file costs the rows after it."""
        place = first
        try:
            for row in _rows(self.path, first, last):
                yield self._candidate(row, place)
                place += 1
        except _ARROW_FAULTS as error:
            reason = " ".join(str(error).split())[:200]
            for lost in range(place, last):
                read = partial(_refuse, f"{self.name}: row {lost} cannot be read ({reason})")
                yield Candidate(f"{lost:09}", read, SideInformation)

    def _candidate(self, row: dict[str, Any], place: int) -> Candidate:
        image = row.pop(self.column)
        name = f"{place:09}"
        if isinstance(image, dict):
            named = image.get(_PATH)
            name = str(named) if named else name
            image = image.get(_BYTES)
        where = f"{self.name}: row {place}"
        read = partial(bytes, image) if image else partial(_refuse, f"{where} holds no image")
        return Candidate(name, read, partial(SideInformation, row))


_ARROW_FAULTS = (pyarrow.ArrowException, OSError, ValueError, MemoryError)


def open_image_rows(path: Path, name: str) -> ImageRows | None:
    """The rows of a file, if one of its columns holds images."""
    with reading(path, "a table of images", most_bytes=2**50):
        if path.suffix == ".arrow":
            schema, rows = _opened(path).schema, sum(len(batch) for batch in _batches(path))
        else:
            file = pyarrow.parquet.ParquetFile(path)
            schema, rows = file.schema_arrow, file.metadata.num_rows
    column = next((field.name for field in schema if _holds_images(field.type)), "")
    return ImageRows(name, path, column, rows) if column else None


def _holds_images(kind: pyarrow.DataType) -> bool:
    """Whether a column holds bytes, alone or beside a path."""
    if pyarrow.types.is_struct(kind):
        inner = kind.get_field_index(_BYTES)
        return inner >= 0 and _holds_images(kind.field(inner).type)
    return bool(pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind))


def _rows(path: Path, first: int, last: int) -> Iterator[dict[str, Any]]:
    """Rows as dictionaries, groups before the first one left unread."""
    start = 0
    for batch in _batches(path) if path.suffix == ".arrow" else _groups(path, first):
        if isinstance(batch, int):
            start = batch
            continue
        wanted = batch.slice(max(0, first - start), max(0, last - max(first, start)))
        start += len(batch)
        for row in range(0, len(wanted), _ROWS_AT_ONCE):
            yield from wanted.slice(row, _ROWS_AT_ONCE).to_pylist()
        if start >= last:
            return


def _groups(path: Path, first: int) -> Iterator[pyarrow.RecordBatch | int]:
    """The row at which the first group read begins, and batches from there on."""
    with pyarrow.parquet.ParquetFile(path) as file:
        start, groups = 0, file.metadata.num_row_groups
        for group in range(groups):
            rows = file.metadata.row_group(group).num_rows
            if start + rows > first:
                yield start
                yield from file.iter_batches(_ROWS_AT_ONCE, row_groups=list(range(group, groups)))
                return
            start += rows


def _opened(path: Path) -> Any:
    """A stream of batches, as ``save_to_disk`` writes, or a file of them."""
    source = pyarrow.memory_map(str(path))
    try:
        return pyarrow.ipc.open_stream(source)
    except pyarrow.ArrowInvalid:
        return pyarrow.ipc.open_file(source)


def _batches(path: Path) -> Iterator[pyarrow.RecordBatch]:
    """The batches of an Arrow file, mapped into memory and not read."""
    opened = _opened(path)
    if isinstance(opened, pyarrow.ipc.RecordBatchStreamReader):
        yield from opened
    else:
        yield from (opened.get_batch(number) for number in range(opened.num_record_batches))


def _refuse(reason: str) -> bytes:
    raise UnreadableImage(reason)

"""Records that users and earlier runs left: JSON, TOML, tables and text, read strictly.

Whatever is wrong with a file, from a cut end to a list where a table should be, becomes one line
that names it. Whatever reads a record does so inside ``reading``; nothing else catches.
"""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from prompt_ensemble.core.errors import BadConfig, PromptEnsembleError

if TYPE_CHECKING:
    import pandas as pd

Source: TypeAlias = Union[Path, "pd.DataFrame"]
"""A table: the path of its file, or a pandas table of the same columns."""
FAULTS = (
    OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError,
    NotImplementedError, MemoryError, csv.Error,
)  # fmt: skip
"""What Python, its csv and json modules, and Arrow raise over damaged records."""
_MOST_BYTES = 4 * 2**30
"""The largest table, which is read as a stream or holds long texts."""
MOST_RECORD_BYTES = 2**28
"""The largest record that is read whole; a split of a million images takes far less."""
_DEEPEST = 100
"""Lists within lists; our records have fewer than ten, and writing them again recurses."""
csv.field_size_limit(16 * 2**20)


@contextmanager
def reading(
    where: Path | str,
    what: str,
    fault: type[PromptEnsembleError] = BadConfig,
    most_bytes: int = _MOST_BYTES,
) -> Iterator[None]:
    """Whatever goes wrong inside becomes one line: ``where``, and ``what`` it should be."""
    try:
        if isinstance(where, Path) and where.stat().st_size > most_bytes:
            raise ValueError(f"more than {most_bytes >> 20} MiB")
        yield
    except FAULTS as error:
        raise fault(f"{where} cannot be read as {what} ({_reason(error)})") from error


def read_object(
    path: Path, what: str, fault: type[PromptEnsembleError] = BadConfig
) -> dict[str, Any]:
    """The JSON object in a file."""
    with reading(path, what, fault, MOST_RECORD_BYTES):
        return as_object(parse_json(path.read_text(encoding="utf-8")))


def read_objects(path: Path, what: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The JSON objects of a file, one a line, each with its place."""
    with reading(path, what), path.open(encoding="utf-8") as file:
        yield from objects_of(file, path, what)


def objects_of(lines: Iterable[str], path: Path, what: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same from lines already opened; empty ones are left out."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            place = f"{path}, line {number}"
            with reading(place, what):
                record = as_object(parse_json(line))
            yield place, record


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The tables of a TOML file."""
    with reading(path, what, most_bytes=MOST_RECORD_BYTES):
        return parse_toml(path.read_text(encoding="utf-8"))


def read_lines(path: Path, what: str) -> list[str]:
    """The lines of a text file that are not blank, as they are."""
    with reading(path, what):
        lines = path.read_text(encoding="utf-8-sig").split("\n")
        return [line.rstrip("\r") for line in lines if line.strip()]


def parse_json(text: str | bytes) -> Any:
    """A value from JSON, or ``ValueError``: not too deep, and every text one that can be written.

    JSON may hold half a character, ``"\\ud800"``, which no file can.
    """
    try:
        value = json.loads(text)
        mark = b"\\ud" if isinstance(text, bytes) else "\\ud"
        if mark in text.lower():  # type: ignore[operator]
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except UnicodeEncodeError as error:
        raise ValueError("a text holds half a character") from error
    _shallow(value)
    return value


def parse_toml(text: str) -> dict[str, Any]:
    """Tables from TOML, or ``ValueError``."""
    try:
        tables = tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    _shallow(tables)
    return tables


def as_object(record: object) -> dict[str, Any]:
    """The record itself if it is an object, or ``TypeError``."""
    if not isinstance(record, dict):
        raise TypeError(f"a {type(record).__name__} is where an object should be")
    return record


def read_table(source: Source, what: str, *columns: str) -> list[dict[str, str]]:
    """The rows of a CSV file or a pandas table with these columns, every cell a text."""
    if not isinstance(source, Path):
        return _rows_of_frame(source, what, columns)
    with reading(source, what), source.open(newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file)
        _check_columns(columns, table.fieldnames or ())
        rows = list(table)
        for number, row in enumerate(rows, 2):
            if None in row or None in row.values():
                raise ValueError(
                    f"row {number} has not as many cells as there are columns; "
                    "a text that holds a comma belongs in quotes"
                )
        return rows


def name_of(source: Source) -> str:
    """What an error calls a file or a pandas table."""
    return str(source) if isinstance(source, Path) else "the table"


def _rows_of_frame(frame: pd.DataFrame, what: str, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a pandas table, none of whose cells may be missing."""
    with reading(name_of(frame), what):
        _check_columns(columns, list(frame.columns))
        cells = frame[list(columns)]
        incomplete = cells.isna().any(axis="columns")
        if incomplete.any():
            raise ValueError(f"the row {incomplete.idxmax()!r} lacks a cell")
        rows: list[dict[str, str]] = cells.astype(str).to_dict("records")
    return rows


def _check_columns(wanted: Iterable[str], there: Sequence[str]) -> None:
    """Complain about the first column that a table lacks."""
    absent = [name for name in wanted if name not in there]
    if absent:
        raise ValueError(f"no column {absent[0]!r} among {list(there) or 'none at all'}")


def _shallow(value: object) -> None:
    """Complain about lists and objects that are nested too deeply."""
    level, depth = [value], 0
    while level:
        if depth > _DEEPEST:
            raise ValueError("nested too deeply")
        depth += 1
        level = [inner for outer in level for inner in _inside(outer)]


def _inside(value: object) -> Iterable[object]:
    """The values in a list or an object."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _reason(error: BaseException) -> str:
    """An error's message on one line; KeyError has only the key."""
    if isinstance(error, KeyError):
        return f"{error.args[0] if error.args else 'a key'} is not there"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    message = " ".join(str(error).split())[:300]
    return message or type(error).__name__

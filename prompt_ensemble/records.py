"""Records that users and earlier runs left: JSON, tables and text, read strictly.

Whatever is wrong with a file, from a cut end to a list where a table should be, becomes one line
that names it. What a reader does with a record stands inside ``reading``; nothing else catches.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prompt_ensemble.errors import BadConfig

FAULTS = (
    OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError,
    csv.Error,
)  # fmt: skip
"""What Python, its csv and json modules, and Arrow raise over damaged records."""
MOST_BYTES = 4 * 2**30
csv.field_size_limit(16 * 2**20)


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """One line about a file that turns out not to be ``what`` it should."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES >> 30} GiB")
        yield
    except FAULTS as error:
        raise BadConfig(f"{path} cannot be read as {what} ({_reason(error)})") from error


def read_object(path: Path, what: str) -> dict[str, Any]:
    """The JSON object in a file."""
    with reading(path, what):
        return as_object(json.loads(path.read_text(encoding="utf-8")))


def as_object(record: object) -> dict[str, Any]:
    """A record whose keys can be asked for."""
    if not isinstance(record, dict):
        raise TypeError(f"a {type(record).__name__} stands where an object should")
    return record


def read_table(path: Path, what: str, *columns: str) -> list[dict[str, str]]:
    """The rows of a CSV file with these columns, every cell a text."""
    with reading(path, what), path.open(newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file)
        absent = [name for name in columns if name not in (table.fieldnames or ())]
        if absent:
            raise ValueError(f"no column {absent[0]!r} among {table.fieldnames or 'none at all'}")
        rows = list(table)
        for number, row in enumerate(rows, 2):
            if None in row or None in row.values():
                raise ValueError(
                    f"row {number} has not as many cells as there are columns; "
                    "a text that holds a comma belongs in quotes"
                )
        return rows


def _reason(error: BaseException) -> str:
    """What an error says, on one line; KeyError says only the key."""
    if isinstance(error, KeyError):
        return f"{error.args[0] if error.args else 'a key'} is not there"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    said = " ".join(str(error).split())[:300]
    return said or type(error).__name__

"""Prompts from text files, one a line, and from tables with a prompt column."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from prompt_ensemble.errors import BadConfig
from prompt_ensemble.files import write_atomically

PROMPT_COLUMN = "prompt"


def read_prompts(paths: Iterable[Path]) -> list[str]:
    """All prompts in the order of files and lines, on one line each; empty ones are left out."""
    flat = (" ".join(prompt.split()) for path in paths for prompt in prompts_of(path))
    return [prompt for prompt in flat if prompt]


def prompts_of(path: Path) -> Iterator[str]:
    """The prompts of one file: ``.csv`` by its column, anything else by lines."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            if path.suffix != ".csv":
                yield from file
                return
            table = csv.DictReader(file)
            if PROMPT_COLUMN not in (table.fieldnames or ()):
                raise BadConfig(
                    f"{path} has the columns {table.fieldnames}; expected one named 'prompt'"
                )
            yield from (row[PROMPT_COLUMN] or "" for row in table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadConfig(f"{path} cannot be read as prompts in UTF-8 ({error})") from error


def write_prompts(path: Path, prompts: Iterable[str]) -> None:
    """One prompt a line."""
    write_atomically(path, "".join(f"{prompt}\n" for prompt in prompts))

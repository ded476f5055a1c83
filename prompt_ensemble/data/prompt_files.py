"""Prompts from text files, one a line, from tables and from JSON lines with a prompt in each."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.records import objects_of, reading

PROMPT = "prompt"


def read_prompts(paths: Iterable[Path]) -> list[str]:
    """All prompts in the order of files and lines, on one line each; empty ones are left out."""
    flat = (" ".join(prompt.split()) for path in paths for prompt in prompts_of(path))
    return [prompt for prompt in flat if prompt]


def prompts_of(path: Path) -> Iterator[str]:
    """The prompts of one file: ``.csv`` by its column, ``.jsonl`` by its key, others by lines."""
    with reading(path, "prompts in UTF-8"), path.open(newline="", encoding="utf-8") as file:
        if path.suffix == ".csv":
            yield from from_table(file)
        elif path.suffix == ".jsonl":
            yield from from_json_lines(file, path)
        else:
            yield from file


def from_table(file: TextIO) -> Iterator[str]:
    """The column of a CSV file."""
    table = csv.DictReader(file)
    if PROMPT not in (table.fieldnames or ()):
        raise ValueError(f"its columns are {table.fieldnames}; expected one named 'prompt'")
    return (row[PROMPT] or "" for row in table)


def from_json_lines(file: TextIO, path: Path) -> Iterator[str]:
    """The key of each JSON object, one a line."""
    for where, record in objects_of(file, path, "an object with a prompt"):
        if PROMPT not in record:
            raise BadConfig(f"{where} has the keys {list(record)}; expected one named 'prompt'")
        yield str(record[PROMPT])


def write_prompts(path: Path, prompts: Iterable[str]) -> None:
    """One prompt a line."""
    write_atomically(path, "".join(f"{prompt}\n" for prompt in prompts))

"""Prompts from text files, one a line, from tables and from JSON lines with a prompt in each."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

from prompt_ensemble.files import write_atomically
from prompt_ensemble.records import as_object, reading

PROMPT = "prompt"


def read_prompts(paths: Iterable[Path]) -> list[str]:
    """All prompts in the order of files and lines, on one line each; empty ones are left out."""
    flat = (" ".join(prompt.split()) for path in paths for prompt in prompts_of(path))
    return [prompt for prompt in flat if prompt]


def prompts_of(path: Path) -> Iterator[str]:
    """The prompts of one file: ``.csv`` by its column, ``.jsonl`` by its key, others by lines."""
    read = READERS.get(path.suffix, iter)
    with reading(path, "prompts in UTF-8"), path.open(newline="", encoding="utf-8") as file:
        yield from read(file)


def from_table(file: TextIO) -> Iterator[str]:
    """The column of a CSV file."""
    table = csv.DictReader(file)
    if PROMPT not in (table.fieldnames or ()):
        raise ValueError(f"its columns are {table.fieldnames}; expected one named 'prompt'")
    return (row[PROMPT] or "" for row in table)


def from_json_lines(file: TextIO) -> Iterator[str]:
    """The key of each JSON object, one a line."""
    for line in file:
        record = as_object(json.loads(line))
        if PROMPT not in record:
            raise ValueError(f"a line has the keys {list(record)}; expected one named 'prompt'")
        yield str(record[PROMPT])


READERS: Mapping[str, Callable[[TextIO], Iterator[str]]] = {
    ".csv": from_table,
    ".jsonl": from_json_lines,
}


def write_prompts(path: Path, prompts: Iterable[str]) -> None:
    """One prompt a line."""
    write_atomically(path, "".join(f"{prompt}\n" for prompt in prompts))

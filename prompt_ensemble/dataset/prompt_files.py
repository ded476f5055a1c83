"""Prompts from text files, one a line, from tables and from JSON lines with a prompt in each."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

from prompt_ensemble.errors import BadConfig
from prompt_ensemble.files import write_atomically

PROMPT = "prompt"


def read_prompts(paths: Iterable[Path]) -> list[str]:
    """All prompts in the order of files and lines, on one line each; empty ones are left out."""
    flat = (" ".join(prompt.split()) for path in paths for prompt in prompts_of(path))
    return [prompt for prompt in flat if prompt]


def prompts_of(path: Path) -> Iterator[str]:
    """The prompts of one file: ``.csv`` by its column, ``.jsonl`` by its key, others by lines."""
    read = READERS.get(path.suffix, iter)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            yield from read(file)
    except KeyError as error:
        raise BadConfig(f"{path}: {error.args[0]}; expected one named 'prompt'") from error
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise BadConfig(f"{path} cannot be read as prompts in UTF-8 ({error})") from error


def from_table(file: TextIO) -> Iterator[str]:
    """The column of a CSV file."""
    table = csv.DictReader(file)
    if PROMPT not in (table.fieldnames or ()):
        raise KeyError(f"its columns are {table.fieldnames}")
    return (row[PROMPT] or "" for row in table)


def from_json_lines(file: TextIO) -> Iterator[str]:
    """The key of each JSON object, one a line."""
    for line in file:
        record = json.loads(line)
        if PROMPT not in record:
            raise KeyError(f"a line has the keys {list(record)}")
        yield str(record[PROMPT])


READERS: Mapping[str, Callable[[TextIO], Iterator[str]]] = {
    ".csv": from_table,
    ".jsonl": from_json_lines,
}


def write_prompts(path: Path, prompts: Iterable[str]) -> None:
    """One prompt a line."""
    write_atomically(path, "".join(f"{prompt}\n" for prompt in prompts))

"""True prompts and their embeddings, from whichever file somebody has."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prompt_ensemble.core.embeddings import Embeddings, Encode, first_duplicate
from prompt_ensemble.core.errors import BadConfig, DuplicateImageId
from prompt_ensemble.core.records import read_table, reading
from prompt_ensemble.core.submission import ID_COLUMN, read_submission

ID_NAMES = ("imgId", "image_id", "id")
PROMPT_NAME = "prompt"
SOURCE_NAME = "source"


@dataclass(frozen=True, eq=False)
class Truth:
    """True embeddings; prompt and source of an image are empty where the file has none."""

    embeddings: Embeddings
    prompts: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


def read_truth(path: Path, encode: Encode) -> Truth:
    """Truth from a table ``imgId,prompt[,source]``, a submission or an embeddings file."""
    embeddings = load_truth(path, encode)
    if path.suffix != ".csv" or not set(ID_NAMES) & set(header(path)):
        return Truth(embeddings)
    return Truth(embeddings, load_prompts(path), load_sources(path))


def load_truth(path: Path, encode: Encode) -> Embeddings:
    """Embeddings of the true prompts; a table of prompts is encoded."""
    if path.suffix == ".csv" and ID_COLUMN not in header(path):
        prompts = load_prompts(path)
        return Embeddings.of(prompts, encode(list(prompts.values())))
    return load_vectors(path)


def load_vectors(path: Path) -> Embeddings:
    """Embeddings from a submission or an embeddings file."""
    return Embeddings.load(path) if path.suffix == ".safetensors" else read_submission(path)


def load_prompts(path: Path) -> dict[str, str]:
    """Image id → prompt from a CSV file with the columns imgId (or image_id, id) and prompt."""
    columns = header(path)
    id_name = next((name for name in ID_NAMES if name in columns), None)
    if id_name is None or PROMPT_NAME not in columns:
        raise BadConfig(
            f"{path} has the columns {columns}; expected imgId (or image_id, id) and prompt"
        )
    table = read_table(path, "a table of prompts", id_name, PROMPT_NAME)
    rows = [(row[id_name], row[PROMPT_NAME]) for row in table]
    prompts = dict(rows)
    if len(prompts) != len(rows):
        twice = first_duplicate(image_id for image_id, _ in rows)
        raise DuplicateImageId(f"{path} lists image {twice!r} twice; expected one prompt each")
    return prompts


def load_sources(path: Path) -> dict[str, str]:
    """Image id → where the image is from; empty if the table does not say."""
    columns = header(path)
    if SOURCE_NAME not in columns:
        return {}
    id_name = next(name for name in ID_NAMES if name in columns)
    table = read_table(path, "a table of prompts", id_name, SOURCE_NAME)
    return {row[id_name]: row[SOURCE_NAME] for row in table}


def header(path: Path) -> list[str]:
    """Column names of a CSV file."""
    with reading(path, "a CSV file"), path.open(newline="", encoding="utf-8-sig") as file:
        return next(csv.reader(file), [])

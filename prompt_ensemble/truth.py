"""True prompts and their embeddings, from whichever file somebody has."""

from __future__ import annotations

import csv
from pathlib import Path

from prompt_ensemble.embeddings import Embeddings, first_duplicate
from prompt_ensemble.errors import BadConfig, DuplicateImageId
from prompt_ensemble.records import read_table, reading
from prompt_ensemble.sentence_encoder import SentenceEncoder
from prompt_ensemble.submission import ID_COLUMN, read_submission

ID_NAMES = ("imgId", "image_id", "id")
PROMPT_NAME = "prompt"


def load_truth(path: Path) -> Embeddings:
    """Embeddings of the true prompts; a table of prompts is encoded."""
    if path.suffix == ".csv" and ID_COLUMN not in header(path):
        prompts = load_prompts(path)
        return Embeddings.of(prompts, SentenceEncoder().encode(list(prompts.values())))
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


def header(path: Path) -> list[str]:
    """Column names of a CSV file."""
    with reading(path, "a CSV file"), path.open(newline="", encoding="utf-8-sig") as file:
        return next(csv.reader(file), [])

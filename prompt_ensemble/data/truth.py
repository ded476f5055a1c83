"""True prompts and their embeddings, from files or from a pandas table."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prompt_ensemble.core.embeddings import Embeddings, Encode, first_duplicate
from prompt_ensemble.core.errors import BadConfig, DuplicateImageId
from prompt_ensemble.core.records import Source, name_of, read_table, reading
from prompt_ensemble.core.submission import ID_COLUMN, read_submission

ID_NAMES = ("imgId", "image_id", "id")
"""What the column of image ids may be called, the likelier name first."""
_PROMPT_NAME = "prompt"
_SOURCE_NAME = "source"


@dataclass(frozen=True, eq=False)
class Truth:
    """True embeddings; prompt and source of an image are empty where the file has none."""

    embeddings: Embeddings
    prompts: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


def read_truth(source: Source, encode: Encode) -> Truth:
    """Truth from a table ``imgId,prompt[,source]``, a submission or an embeddings file."""
    embeddings = load_truth(source, encode)
    if not _is_table(source) or not set(ID_NAMES) & set(header(source)):
        return Truth(embeddings)
    return Truth(embeddings, load_prompts(source), load_sources(source))


def load_truth(source: Source, encode: Encode) -> Embeddings:
    """Embeddings of the true prompts; a table of prompts is encoded."""
    if _is_table(source) and ID_COLUMN not in header(source):
        prompts = load_prompts(source)
        return Embeddings.of(prompts, encode(list(prompts.values())))
    return load_vectors(source)


def load_vectors(source: Source) -> Embeddings:
    """Embeddings from a submission or an embeddings file."""
    if isinstance(source, Path) and source.suffix == ".safetensors":
        return Embeddings.load(source)
    return read_submission(source)


def load_prompts(source: Source) -> dict[str, str]:
    """Image id → prompt from a table with the columns imgId (or image_id, id) and prompt."""
    rows = _prompt_rows(source)
    prompts = dict(rows)
    if len(prompts) != len(rows):
        twice = first_duplicate(image_id for image_id, _ in rows)
        raise DuplicateImageId(
            f"{name_of(source)} lists image {twice!r} twice; expected one prompt each"
        )
    return prompts


def load_references(source: Source) -> dict[str, tuple[str, ...]]:
    """Image id → its prompts, from the same table, where an image may have several rows."""
    if not _is_table(source) or ID_COLUMN in header(source):
        raise BadConfig(
            f"{name_of(source)} holds no prompts, and texts are judged by prompts; "
            "expected a table of imgId (or image_id, id) and prompt"
        )
    references: dict[str, tuple[str, ...]] = {}
    for image_id, prompt in _prompt_rows(source):
        references[image_id] = (*references.get(image_id, ()), prompt)
    if not references:
        raise BadConfig(f"{name_of(source)} has no row; expected imgId and prompt of every image")
    return references


def _prompt_rows(source: Source) -> list[tuple[str, str]]:
    """Image ids and prompts of a table, row by row."""
    columns = header(source)
    id_name = next((name for name in ID_NAMES if name in columns), None)
    if id_name is None or _PROMPT_NAME not in columns:
        raise BadConfig(
            f"{name_of(source)} has the columns {columns}; "
            "expected imgId (or image_id, id) and prompt"
        )
    table = read_table(source, "a table of prompts", id_name, _PROMPT_NAME)
    return [(row[id_name], row[_PROMPT_NAME]) for row in table]


def load_sources(source: Source) -> dict[str, str]:
    """Image id → where the image is from; empty if the table does not say."""
    columns = header(source)
    if _SOURCE_NAME not in columns:
        return {}
    id_name = next(name for name in ID_NAMES if name in columns)
    table = read_table(source, "a table of prompts", id_name, _SOURCE_NAME)
    return {row[id_name]: row[_SOURCE_NAME] for row in table}


def _is_table(source: Source) -> bool:
    """Whether it is a table of texts, and no file of vectors."""
    return not isinstance(source, Path) or source.suffix == ".csv"


def header(source: Source) -> list[str]:
    """Column names of a CSV file or a pandas table."""
    if not isinstance(source, Path):
        return [str(name) for name in source.columns]
    with reading(source, "a CSV file"), source.open(newline="", encoding="utf-8-sig") as file:
        return next(csv.reader(file), [])

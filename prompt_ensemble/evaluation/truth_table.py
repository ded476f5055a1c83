"""The truth of an evaluation: embeddings, and the prompts and sources where they are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prompt_ensemble.embeddings import Embeddings
from prompt_ensemble.records import read_table
from prompt_ensemble.truth import ID_NAMES, header, load_prompts, load_truth

SOURCE_NAME = "source"


@dataclass(frozen=True, eq=False)
class TruthTable:
    """True embeddings; prompt and source of an image are empty where the file has none."""

    embeddings: Embeddings
    prompts: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


def read_truth(path: Path) -> TruthTable:
    """Truth from a table ``imgId,prompt[,source]``, a submission or an embeddings file."""
    embeddings = load_truth(path)
    if path.suffix != ".csv" or not set(ID_NAMES) & set(header(path)):
        return TruthTable(embeddings)
    return TruthTable(embeddings, load_prompts(path), load_sources(path))


def load_sources(path: Path) -> dict[str, str]:
    """Image id → where the image is from; empty if the table does not say."""
    columns = header(path)
    if SOURCE_NAME not in columns:
        return {}
    id_name = next(name for name in ID_NAMES if name in columns)
    table = read_table(path, "a table of prompts", id_name, SOURCE_NAME)
    return {row[id_name]: row[SOURCE_NAME] for row in table}

"""A finished run as evaluation sees it: what was predicted, by which weights, in what time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.records import read_table, reading
from prompt_ensemble.core.submission import read_submission
from prompt_ensemble.run.saved_predictions import load_parts, read_record

BLEND = "(blend)"
"""The blend among the members; no member can be called so."""
NO_TEXT = ("image_id", "seconds", "problem")


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """Predictions by name, the blend under its own, and what else the run has left."""

    name: str
    predictions: Mapping[str, Embeddings]
    weights: Mapping[str, float] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Per image, for each member."""
    memory: Mapping[str, float] = field(default_factory=dict)
    """MB at most, for each member."""
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Member → image id → what it said."""


def read_run(sources: Sequence[Path]) -> FinishedRun:
    """A run folder, or embeddings files and submissions side by side."""
    parts = load_parts(sources)
    name = ", ".join(source.name for source in sources)
    folders = [source for source in sources if source.is_dir()]
    if len(sources) != 1 or not folders:
        return FinishedRun(name, parts)
    folder = folders[0]
    if (folder / "submission.csv").is_file():
        parts[BLEND] = read_submission(folder / "submission.csv")
    record = read_record(folder)
    members = {one: record["members"][one] for one in parts if one in record.get("members", {})}
    images = max(1, len(next(iter(parts.values()))))
    with reading(folder / "run.json", "the record of a run"):
        weights = {one: float(member["weight"]) for one, member in members.items()}
        seconds = {one: float(member["seconds"]) / images for one, member in members.items()}
        memory = {one: float(member.get("peak_memory_mb", 0)) for one, member in members.items()}
    texts = read_texts(folder / "predictions.csv")
    return FinishedRun(name, parts, weights, seconds, memory, texts)


def read_texts(path: Path) -> dict[str, dict[str, str]]:
    """What each member said of each image, from ``predictions.csv``."""
    if not path.is_file():
        return {}
    rows = read_table(path, "a table of predictions", "image_id")
    members = [name for name in (rows[0] if rows else {}) if name not in NO_TEXT]
    return {name: {row["image_id"]: row[name] for row in rows} for name in members}

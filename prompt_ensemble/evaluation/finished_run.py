"""A finished run: what was predicted, with which weights, in what time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.records import read_table, reading
from prompt_ensemble.core.submission import read_submission
from prompt_ensemble.run.prediction import NOT_MEMBERS
from prompt_ensemble.run.saved_predictions import load_parts, read_record

BLEND = "(blend)"
"""The blend among the members; no member can be called so."""


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """Predictions by name, the blend as ``(blend)``, and what else the run recorded."""

    name: str
    predictions: Mapping[str, Embeddings]
    weights: Mapping[str, float] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Per image, for each member."""
    memory: Mapping[str, float] = field(default_factory=dict)
    """MB at most, for each member."""
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Member or ``(blend)`` → image id → its texts."""


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
    listed = record.get("members", {})
    members = {part: listed[part] for part in parts if part in listed}
    images = max(1, len(next(iter(parts.values()))))
    with reading(folder / "run.json", "the record of a run"):
        weights = {member: float(entry["weight"]) for member, entry in members.items()}
        seconds = {member: float(entry["seconds"]) / images for member, entry in members.items()}
        memory = {
            member: float(entry.get("peak_memory_mb", 0)) for member, entry in members.items()
        }
    texts = _read_texts(folder / "predictions.csv")
    return FinishedRun(name, parts, weights, seconds, memory, texts)


def _read_texts(path: Path) -> dict[str, dict[str, str]]:
    """Texts of the blend and of each member for each image, from ``predictions.csv``."""
    if not path.is_file():
        return {}
    rows = read_table(path, "a table of predictions", "image_id")
    columns = list(rows[0]) if rows else []
    speakers = {name: name for name in columns if name not in NOT_MEMBERS}
    if {"prompt", "trust"} <= set(columns):
        speakers = {BLEND: "prompt", **speakers}
    return {
        speaker: {row["image_id"]: row[column] for row in rows}
        for speaker, column in speakers.items()
    }

"""A finished run: what was predicted, with which weights, in what time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from prompt_ensemble.core.embeddings import Embeddings, Encode
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.records import read_table, reading
from prompt_ensemble.core.submission import read_submission
from prompt_ensemble.data.texts import has_texts, holds_texts, load_texts
from prompt_ensemble.run.prediction import NOT_MEMBERS
from prompt_ensemble.run.saved_predictions import load_parts, read_record

BLEND = "(blend)"
"""The blend among the members; no member can be called so."""
ANSWER = "(text)"
"""The text that a run, or the only table of texts, answers with."""


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """Predictions by name, the blend as ``(blend)``, and what else the run recorded.

    Answers are predictions only once ``with_embedded_answers`` has embedded them.
    """

    name: str
    predictions: Mapping[str, Embeddings]
    weights: Mapping[str, float] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Per image, for each member."""
    memory: Mapping[str, float] = field(default_factory=dict)
    """MB at most, for each member."""
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Member → image id → its texts."""
    answers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """``(text)``, or name of a table of texts → image id → the text to judge."""


def read_run(sources: Sequence[Path]) -> FinishedRun:
    """A run folder, or embeddings files, submissions and tables of texts side by side."""
    tables = [source for source in sources if holds_texts(source)]
    parts = load_parts([source for source in sources if source not in tables])
    name = ", ".join(source.name for source in sources)
    folders = [source for source in sources if source.is_dir()]
    if len(sources) != 1 or not folders:
        return FinishedRun(name, parts, answers=_read_answers(tables, sources, parts))
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
    table = folder / "predictions.csv"
    answers = {ANSWER: load_texts(table)} if has_texts(table) else {}
    return FinishedRun(name, parts, weights, seconds, memory, _read_texts(table), answers)


def with_embedded_answers(run: FinishedRun, encode: Encode) -> FinishedRun:
    """The same run, its answers among the predictions by the embeddings of their texts."""
    embedded = {
        name: Embeddings.of(texts, encode(list(texts.values())))
        for name, texts in run.answers.items()
    }
    return replace(run, predictions={**run.predictions, **embedded})


def _read_answers(
    tables: Sequence[Path], sources: Sequence[Path], parts: Mapping[str, Embeddings]
) -> dict[str, dict[str, str]]:
    """The texts of each table by its name; what stands alone needs none."""
    answers: dict[str, dict[str, str]] = {}
    for table in tables:
        name = table.stem if len(sources) > 1 else ANSWER
        if name in answers or name in parts:
            raise BadConfig(
                f"two predictions are named {name!r}, one of them {table}; names are unique, so "
                "rename one of them"
            )
        answers[name] = load_texts(table)
    return answers


def _read_texts(path: Path) -> dict[str, dict[str, str]]:
    """Texts of each member for each image, from ``predictions.csv``."""
    if not path.is_file():
        return {}
    rows = read_table(path, "a table of predictions", "image_id")
    members = [name for name in (rows[0] if rows else {}) if name not in NOT_MEMBERS]
    return {name: {row["image_id"]: row[name] for row in rows} for name in members}

"""How a captioner was trained, against images seen, where it lies in the folder of its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prompt_ensemble.core.records import read_object, reading
from prompt_ensemble.training.journal import Journal

_RECORD = "run.json"


@dataclass(frozen=True)
class LearningCurve:
    """Numbers noted during the training of one run."""

    batch_size: int
    noted: Mapping[str, tuple[tuple[int, float], ...]]
    """Number's name, such as ``loss`` or ``held_out`` → images seen and its value."""


def learning_curve(captioner: Path) -> LearningCurve | None:
    """From ``metrics.jsonl`` and ``run.json`` beside the captioner's folder; None without them."""
    folder = captioner.parent
    notes = Journal(folder).notes()
    record = folder / _RECORD
    if not notes or not record.is_file():
        return None
    what = "the record of a training run"
    found = read_object(record, what)
    with reading(record, what):
        batch = int(found["recipe"]["batch_size"])
    names = sorted({name for note in notes for name in note} - {"step"})
    return LearningCurve(
        batch,
        {
            name: tuple(
                (int(note["step"]) * batch, float(note[name])) for note in notes if name in note
            )
            for name in names
        },
    )

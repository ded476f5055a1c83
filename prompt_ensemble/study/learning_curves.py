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
    pairs: str
    """Digest of the listing that it learnt from, if it was noted."""
    noted: Mapping[str, tuple[tuple[int, float], ...]]
    """Number's name, such as ``loss`` or ``held_out`` → images seen and its value."""

    @property
    def images_seen(self) -> int:
        """Over the whole training, repeated ones as often as they were seen."""
        return max(seen for line in self.noted.values() for seen, _ in line)


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
        pairs = str(found.get("pairs_sha256", ""))
    names = sorted({name for note in notes for name in note} - {"step"})
    return LearningCurve(
        batch,
        pairs,
        {
            name: tuple(
                (int(note["step"]) * batch, float(note[name])) for note in notes if name in note
            )
            for name in names
        },
    )

"""Numbers noted while training goes on: a line of JSON for each note, and a plot of them."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.records import objects_of, reading
from prompt_ensemble.core.svg_figures import draw_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NOTES = "notes of a training run"
_PANEL = (6.4, 2.4)
"""Inches of the plot of one number."""


class Journal:
    """``metrics.jsonl`` and ``metrics.svg`` of a run."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "metrics.jsonl"
        self.plot = folder / "metrics.svg"

    def forget_after(self, step: int) -> None:
        """Drop notes of steps that a resumed run will take again."""
        kept = [note for note in self.notes() if int(note["step"]) <= step]
        write_atomically(self.file, "".join(json.dumps(note) + "\n" for note in kept))

    def note(self, **numbers: float) -> None:
        """Add a line."""
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(numbers) + "\n")

    def notes(self) -> list[dict[str, float]]:
        """All lines so far; one that was cut off by an interrupt is left out."""
        if not self.file.exists():
            return []
        with reading(self.file, _NOTES):
            lines = self.file.read_text(encoding="utf-8").splitlines(keepends=True)
        whole = (line for line in lines if line.endswith("\n"))
        notes = []
        for where, note in objects_of(whole, self.file, _NOTES):
            with reading(where, _NOTES):
                int(note["step"]), [float(number) for number in note.values()]
            notes.append(note)
        return notes

    def draw(self) -> None:
        """The plot, a panel for each number noted."""
        notes = self.notes()
        names = sorted({name for note in notes for name in note} - {"step"})
        if names:
            size = (_PANEL[0], _PANEL[1] * len(names))
            draw = partial(_draw_panels, notes=notes, names=names)
            write_atomically(self.plot, draw_svg("training", draw, size))


def _draw_panels(figure: Figure, notes: list[dict[str, float]], names: list[str]) -> None:
    """Curves over the steps, one below the other."""
    panels = figure.subplots(len(names), sharex=True, squeeze=False)[:, 0]
    for panel, name in zip(panels, names, strict=True):
        noted = [note for note in notes if name in note]
        panel.plot([note["step"] for note in noted], [note[name] for note in noted])
        panel.set_ylabel(name)
        panel.set_title(f"last {noted[-1][name]:.4g}", loc="right", fontsize="small")
    panels[-1].set_xlabel("step")

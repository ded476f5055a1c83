"""What a run folder says while training goes on: a line of JSON a note, and a plot of them."""

from __future__ import annotations

import json
from pathlib import Path

from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.records import objects_of, reading

NOTES = "notes of a training run"
WIDTH, HEIGHT, MARGIN = 640, 320, 40
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd")


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
        with reading(self.file, NOTES):
            lines = self.file.read_text(encoding="utf-8").splitlines(keepends=True)
        whole = (line for line in lines if line.endswith("\n"))
        notes = []
        for where, note in objects_of(whole, self.file, NOTES):
            with reading(where, NOTES):
                int(note["step"]), [float(number) for number in note.values()]
            notes.append(note)
        return notes

    def draw(self) -> None:
        """The plot, one curve for each number noted."""
        write_atomically(self.plot, svg_of(self.notes()))


def svg_of(notes: list[dict[str, float]]) -> str:
    """Curves over the steps, each scaled to its own range, which its label gives."""
    names = sorted({name for note in notes for name in note} - {"step"})
    last = max([note["step"] for note in notes], default=1) or 1
    curves = [
        curve(name, [(note["step"] / last, note[name]) for note in notes if name in note], number)
        for number, name in enumerate(names)
    ]
    box = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">'
    return "\n".join([box, '<rect width="100%" height="100%" fill="white"/>', *curves, "</svg>\n"])


def curve(name: str, points: list[tuple[float, float]], number: int) -> str:
    """One line and its label."""
    low, high = min(y for _, y in points), max(y for _, y in points)
    spread = (high - low) or 1.0
    inner_width, inner_height = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    places = " ".join(
        f"{MARGIN + x * inner_width:.1f},{HEIGHT - MARGIN - (y - low) / spread * inner_height:.1f}"
        for x, y in points
    )
    colour = COLOURS[number % len(COLOURS)]
    label = f"{name} {low:.4g} to {high:.4g}, last {points[-1][1]:.4g}"
    return (
        f'<polyline fill="none" stroke="{colour}" points="{places}"/>'
        f'<text x="{MARGIN}" y="{16 + 14 * number}" font-size="12" fill="{colour}">{label}</text>'
    )

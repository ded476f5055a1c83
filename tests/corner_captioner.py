"""A captioner small enough to understand: it says which colour one quarter of an image has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, unit_rows
from prompt_ensemble.core.outputs import Line
from prompt_ensemble.members import registry
from prompt_ensemble.members.captioners import layouts
from prompt_ensemble.members.captioners.caption_predictor import CaptionPredictor
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.weights import Layout

COLOURS = ("red", "green", "blue")
THINGS = ("wall", "car", "cat", "tree")


@dataclass(frozen=True)
class CornerCaptioner:
    """Says "red wall" of an image whose quarter at ``row``, ``column`` is red."""

    row: int
    column: int

    def prepare(self, image: Image.Image) -> torch.Tensor:
        pixels = np.array(image.resize((2, 2), Image.Resampling.BOX))
        return torch.from_numpy(pixels).permute(2, 0, 1)

    def caption(self, pixels: torch.Tensor) -> list[tuple[Line, ...]]:
        quarters = pixels[:, :, self.row, self.column].int().tolist()
        return [(Line("caption", f"{_colour(quarter)} wall", 0.0),) for quarter in quarters]


def _colour(quarter: list[int]) -> str:
    return "grey" if max(quarter) < 2 * min(quarter) else COLOURS[int(np.argmax(quarter))]


class CornerPredictor(CaptionPredictor):
    """The same as a captioner of the registry; its weights are a file that names the quarter."""

    def load(self, placement: Placement) -> CornerCaptioner:
        return CornerCaptioner(**json.loads((self.path / "corner.json").read_text()))


def register(monkeypatch) -> None:
    """The kind ``corner``, for one test."""
    monkeypatch.setitem(registry.PREDICTORS, "corner", "corner_captioner:CornerPredictor")
    layout = Layout("corner", ("corner.json",))
    monkeypatch.setattr(layouts, "LAYOUTS", (*layouts.LAYOUTS, layout))


def save_corner(folder: Path, row: int, column: int) -> Path:
    folder.mkdir(parents=True)
    (folder / "corner.json").write_text(json.dumps({"row": row, "column": column}))
    return folder


def write_quarters(folder: Path) -> Path:
    """Twelve pictures of four quarters; each prompt names the colour of the first, and a thing."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    lines = []
    for number, (thing, colour) in enumerate((t, c) for t in THINGS for c in COLOURS):
        quarters = np.zeros((2, 2, 3), np.uint8)
        first = COLOURS.index(colour)
        quarters[0, 0, first] = 230
        # The last quarter's colour tells nothing of the first: over all things it is each.
        quarters[1, 1, (first + number // 3) % 3] = 230
        quarters[0, 1], quarters[1, 0] = random.integers(60, 100, (2, 3))
        Image.fromarray(quarters.repeat(16, 0).repeat(16, 1)).save(folder / f"{number:02}.png")
        record = {"image": f"{number:02}.png", "prompt": f"{colour} {thing}", "source": thing}
        lines.append(json.dumps(record) + "\n")
    (folder / "pairs.jsonl").write_text("".join(lines))
    return folder / "pairs.jsonl"


def encode(texts) -> np.ndarray:
    """Texts as the sum of their words' directions, so that shared words make them near."""
    rows = np.zeros((len(texts), EMBEDDING_WIDTH))
    for row, text in zip(rows, texts, strict=True):
        for word in text.lower().split():
            seed = int.from_bytes(word.encode()[:8].ljust(8, b"\0"), "little")
            row += np.random.default_rng(seed).normal(size=EMBEDDING_WIDTH)
    return unit_rows(rows)

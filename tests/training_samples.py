"""A tiny data set on the disk: coloured pictures whose prompts name their colours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.data.pairs import Pairs, read_pairs
from prompt_ensemble.training.regressor.recipe import Recipe

COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 200, 40),
    "blue": (30, 40, 210),
    "grey": (90, 90, 90),
}
TINY = Recipe(
    tower="tf_efficientnet_lite0", backbone=None, size=32, views=2, hidden=16, steps=6,
    head_steps=2, batch_size=4, average=0.5,
)  # fmt: skip


def write_pairs(folder: Path, images_each: int = 2) -> Pairs:
    """Pictures and their listing."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    lines = []
    for place, (name, colour) in enumerate(COLOURS.items()):
        for number in range(images_each):
            noise = random.integers(-20, 20, (24, 24, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            file = f"{name}{number}.png"
            Image.fromarray(pixels).save(folder / file)
            source = "left" if place < 2 else "right"
            record = {"image": file, "prompt": f"a {name} wall", "source": source, "tier": "A"}
            lines.append(json.dumps(record))
    (folder / "pairs.jsonl").write_text("\n".join(lines) + "\n")
    return read_pairs(folder / "pairs.jsonl", ())


def encode(texts: Sequence[str]) -> np.ndarray:
    """A direction of its own for each text, the same every time."""
    seeds = [int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) for text in texts]
    return unit_rows(np.stack([np.random.default_rng(seed).normal(size=384) for seed in seeds]))

"""What the inference loop adds to the model itself, at 224 px on a CPU.

The model alone gets batches that are already in memory; the loop starts from PNG files and does
everything: reading, decoding, resizing, stacking, checking for memory. Both run in turn.

python benchmarks/loop_overhead.py [--model vit_base_patch16_224] [--images 64] [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import prompt_ensemble  # noqa: F401  (makes torchvision importable before timm asks for it)
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.images.decode import load_image
from prompt_ensemble.images.find import ImageFile, find_images
from prompt_ensemble.images.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from prompt_ensemble.members.contract import Batch, OpenedModel
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.run.inference_loop import run_batches


class OpenedTimm(OpenedModel):
    """A timm network with random weights."""

    def __init__(self, name: str) -> None:
        import timm

        self.model = timm.create_model(name, num_classes=384).eval()
        self.recipe = Preprocessing(224, 224, IMAGENET_MEAN, IMAGENET_STD)

    def prepare(self, image: Image.Image) -> tuple[torch.Tensor, ...]:
        return (self.recipe.prepare(image),)

    def run(self, batch: Batch) -> Outputs:
        rows = self.model(self.recipe.normalise(batch.views[0]))
        return Outputs.of_vectors(batch.image_ids, rows.numpy())


def paint(folder: Path, count: int, side: int = 512) -> None:
    random = np.random.default_rng(0)
    for number in range(count):
        coarse = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((side, side)).save(folder / f"{number:04}.png")


def seconds_of_model(opened: OpenedTimm, batches: list[torch.Tensor]) -> float:
    started = time.perf_counter()
    with torch.inference_mode():
        for batch in batches:
            opened.run(Batch(("",) * len(batch), (batch,)))
    return time.perf_counter() - started


def seconds_of_loop(opened: OpenedTimm, images: Sequence[ImageFile], batch_size: int) -> float:
    placement = choose_placement("cpu")
    started = time.perf_counter()
    for _ in run_batches(opened, images, placement, batch_size):
        pass
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="vit_base_patch16_224")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    opened = OpenedTimm(asked.model)
    with tempfile.TemporaryDirectory() as folder:
        paint(Path(folder), asked.images)
        images = find_images([folder])
        pixels = torch.stack([opened.prepare(load_image(image.path))[0] for image in images])
        batches = list(pixels.split(asked.batch_size))
        seconds_of_model(opened, batches[:1])
        rounds = [
            (seconds_of_model(opened, batches), seconds_of_loop(opened, images, asked.batch_size))
            for _ in range(asked.rounds)
        ]
    model, loop = (statistics.median(column) for column in zip(*rounds, strict=True))
    added = statistics.median(whole / alone - 1 for alone, whole in rounds)
    print(f"| {asked.model}, {asked.images} PNGs of 512 px, median of {asked.rounds} | images/s |")
    print("|---|---|")
    print(f"| model alone, batches in memory | {asked.images / model:.2f} |")
    print(f"| the loop, from files | {asked.images / loop:.2f} |")
    print(f"| added by the loop | {added:.1%} |")


if __name__ == "__main__":
    main()

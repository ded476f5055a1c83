"""Images a second of an embedded regressor against a plain loop over the same network.

    python benchmarks/regressor.py IMAGES --weights embedded-lites

The plain loop opens, transforms and runs one image at a time, as a first script would.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import click
import numpy as np
import torch

from prompt_ensemble.device import choose_placement
from prompt_ensemble.images import ImageFile, find_images
from prompt_ensemble.inference import look_at
from prompt_ensemble.regression import lite_features
from prompt_ensemble.regression.regressor import Regressor, RegressorLooker
from prompt_ensemble.regression.saved import RegressorCard, load_regressor
from prompt_ensemble.weights import WeightRoots


def plain_loop(model: Regressor, card: RegressorCard, files: list[ImageFile]) -> np.ndarray:
    """Batch of one, nothing overlapped, the usual torchvision transforms."""
    from PIL import Image
    from torchvision import transforms
    from torchvision.transforms import InterpolationMode

    recipe = card.preprocessing
    transform = transforms.Compose(
        [
            transforms.Resize((recipe.height, recipe.width), InterpolationMode.BICUBIC),
            transforms.ToTensor(),
            transforms.Normalize(recipe.mean, recipe.std),
        ]
    )
    rows = []
    with torch.no_grad():
        for file in files:
            pixels = transform(Image.open(file.path).convert("RGB"))
            rows.append(model(pixels[None]).numpy())
    return np.concatenate(rows)


def product(
    model: Regressor, card: RegressorCard, files: list[ImageFile], batch_size: int, device: str
) -> np.ndarray:
    """The inference loop of the package."""
    placement = choose_placement(device)
    looker = RegressorLooker(model, card.preprocessing, placement)
    with torch.inference_mode():
        found = [f.vectors for f in look_at(looker, files, placement, batch_size)]
    return np.concatenate(found)


def timed(work: Callable[[], np.ndarray]) -> tuple[np.ndarray, float, float]:
    """Result, seconds on the clock, seconds of processor time."""
    clock, processor = time.perf_counter(), time.process_time()
    rows = work()
    return rows, time.perf_counter() - clock, time.process_time() - processor


@click.command()
@click.argument("images", type=click.Path(path_type=Path))
@click.option("--weights", default="embedded-lites", show_default=True)
@click.option("--batch-size", default=32, show_default=True)
@click.option("--limit", default=200, show_default=True, help="Images to take.")
@click.option("--device", default="cpu", show_default=True)
def main(images: Path, weights: str, batch_size: int, limit: int, device: str) -> None:
    """Print both rates as JSON."""
    files = list(find_images([images])[:limit])
    roots = WeightRoots.usual()
    model, card = load_regressor(roots.find(weights).path, roots)
    product(model, card, files[:batch_size], batch_size, device)  # warm-up
    ours, clock, processor = timed(lambda: product(model, card, files, batch_size, device))
    with patch.object(lite_features, "fold_norms"):  # the networks as they are published
        model, card = load_regressor(roots.find(weights).path, roots)
    plain_loop(model, card, files[:4])
    plain, plain_clock, plain_processor = timed(lambda: plain_loop(model, card, files))
    record = {
        "images": len(files),
        "threads": torch.get_num_threads(),
        "images_per_second": round(len(files) / clock, 1),
        "plain_images_per_second": round(len(files) / plain_clock, 1),
        "times_faster": round(plain_clock / clock, 2),
        "processor_seconds": round(processor, 2),
        "plain_processor_seconds": round(plain_processor, 2),
        "largest_difference": float(np.abs(ours - plain).max()),
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main()

"""Images a second of an embedded regressor against a plain loop over the same network.

    python benchmarks/regressor.py IMAGES --weights embedded-clip

The plain loop opens, transforms and runs one image at a time, as a first script would, on the
network in float32 as its library builds it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from unittest.mock import patch

import click
import numpy as np
import torch

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.images.find import ImageFile, find_images
from prompt_ensemble.members.regressors.opened_regressor import OpenedRegressor
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.models.image_towers import lite_features
from prompt_ensemble.models.image_towers.image_tower import frozen
from prompt_ensemble.models.regressor.network import Regressor
from prompt_ensemble.models.regressor.regressor_folder import RegressorCard, load_regressor
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.inference_loop import run_batches


def plain_loop(model: Regressor, card: RegressorCard, files: list[ImageFile]) -> np.ndarray:
    """Batch of one, nothing overlapped, the usual torchvision transforms."""
    from PIL import Image
    from torchvision import transforms
    from torchvision.transforms import InterpolationMode

    recipe = card.preprocessing
    size = (recipe.height, recipe.width)
    transform = transforms.Compose(
        [
            transforms.Resize(recipe.resize_shortest or size, InterpolationMode.BICUBIC),
            transforms.CenterCrop(size),
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
    fastest = Regressor(frozen(model.tower, placement.device), model.head)
    opened = OpenedRegressor(fastest, card.preprocessing, placement)
    with torch.inference_mode():
        found = [f.vectors for f in run_batches(opened, files, placement, batch_size)]
    return np.concatenate(found)


def repeated(files: Sequence[ImageFile], count: int) -> list[ImageFile]:
    """So many images, taken round and round under new ids."""
    rounds = islice(enumerate(cycle(files)), count)
    return [replace(file, image_id=f"{number}-{file.image_id}") for number, file in rounds]


def timed(work: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    """Result, and seconds on the clock."""
    started = time.perf_counter()
    rows = work()
    return rows, time.perf_counter() - started


@click.command()
@click.argument("images", type=click.Path(path_type=Path))
@click.option("--weights", default="embedded-clip", show_default=True)
@click.option("--batch-size", default=32, show_default=True)
@click.option("--limit", default=64, show_default=True, help="Images; few are repeated.")
@click.option("--rounds", default=5, show_default=True, help="Turns of both sides.")
@click.option("--device", default="cpu", show_default=True)
def main(images: Path, weights: str, batch_size: int, limit: int, rounds: int, device: str) -> None:
    """Print the rates of every round as JSON, and the median of their ratios."""
    files = repeated(find_images([images]), limit)
    roots = WeightRoots.usual()
    model, card = load_regressor(roots.find(weights).path, roots)
    with patch.object(lite_features, "fold_norms"):  # the networks as they are published
        published, _ = load_regressor(roots.find(weights).path, roots)
    product(model, card, files[:batch_size], batch_size, device)  # both warm up
    plain_loop(published, card, files[:4])
    rates, ratios = [], []
    for _ in range(rounds):
        ours, clock = timed(lambda: product(model, card, files, batch_size, device))
        plain, plain_clock = timed(lambda: plain_loop(published, card, files))
        rates.append([round(len(files) / clock, 1), round(len(files) / plain_clock, 1)])
        ratios.append(round(plain_clock / clock, 2))
    record = {
        "images": len(files),
        "threads": torch.get_num_threads(),
        "images_per_second": rates,
        "times_faster": ratios,
        "median": median(ratios),
        "smallest_cosine": round(float((unit_rows(ours) * unit_rows(plain)).sum(1).min()), 6),
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main()

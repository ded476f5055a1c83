"""What the learning part of a network is fed with: pictures, or maps of its frozen stages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import nn

from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.data.pairs import Pairs
from prompt_ensemble.images.decode import load_image
from prompt_ensemble.training.regressor.augmentation import augmented_pixels
from prompt_ensemble.training.regressor.recipe import Recipe

_PICTURES_PER_STEP = 32


class Inputs(Protocol):
    """Inputs by row, in float32 on the CPU."""

    def plain(self, rows: np.ndarray) -> torch.Tensor:
        """As at inference."""

    def augmented(self, rows: np.ndarray, generator: torch.Generator) -> torch.Tensor:
        """As in training, augmented by chance."""


class Pictures:
    """Images read when they are needed."""

    def __init__(self, images: Sequence[Path], recipe: Recipe) -> None:
        self.images = images
        self.recipe = recipe
        self.preprocessing = recipe.preprocessing()

    def plain(self, rows: np.ndarray) -> torch.Tensor:
        """Squashed to the recipe's size."""
        pictures = [self.preprocessing.prepare(load_image(self.images[row])) for row in rows]
        return self.preprocessing.normalise(torch.stack(pictures))

    def augmented(self, rows: np.ndarray, generator: torch.Generator) -> torch.Tensor:
        """Cropped, mirrored and coloured anew each time."""
        pictures = [
            augmented_pixels(load_image(self.images[row]), self.recipe, generator) for row in rows
        ]
        return self.preprocessing.normalise(torch.stack(pictures))


class _FeatureMaps:
    """``(views, N, C, H, W)`` float16 maps of frozen stages; view 0 is plain."""

    def __init__(self, maps: np.ndarray) -> None:
        self.maps = maps

    def plain(self, rows: np.ndarray) -> torch.Tensor:
        """The plain view."""
        return torch.from_numpy(self.maps[0, rows].astype(np.float32))

    def augmented(self, rows: np.ndarray, generator: torch.Generator) -> torch.Tensor:
        """Each row in one of its views."""
        views = torch.randint(len(self.maps), (len(rows),), generator=generator).numpy()
        return torch.from_numpy(self.maps[views, rows].astype(np.float32))


def feature_maps(
    front: nn.Module,
    pairs: Pairs,
    recipe: Recipe,
    cache: Path,
    *,
    device: torch.device,
    progress: Progress = silent,
) -> _FeatureMaps:
    """Maps of all pictures in all views, computed unless ``cache`` holds them already."""
    file = cache / f"maps-{_maps_key(pairs, recipe)}.npy"
    if not file.exists():
        part = file.with_suffix(".part.npy")
        file.parent.mkdir(parents=True, exist_ok=True)
        pictures = Pictures([pair.image for pair in pairs.rows], recipe)
        _write_maps(front.to(device), pictures, part, device, progress)
        part.replace(file)
    return _FeatureMaps(np.load(file, mmap_mode="r"))


def _maps_key(pairs: Pairs, recipe: Recipe) -> str:
    """Names the maps by all that they depend on."""
    names = (
        "library", "tower", "backbone", "size", "mean", "std", "frozen_stages", "views",
        "smallest_crop", "stretch", "flips", "colour", "seed",
    )  # fmt: skip
    parts = {name: getattr(recipe, name) for name in names}
    return hashlib.sha256(json.dumps([pairs.digest, parts]).encode()).hexdigest()[:16]


@torch.inference_mode()
def _write_maps(
    front: nn.Module, pictures: Pictures, file: Path, device: torch.device, progress: Progress
) -> None:
    """One view after the other, so that what is computed first is what is needed most."""
    recipe, count = pictures.recipe, len(pictures.images)
    maps: np.ndarray | None = None
    with progress("computing frozen stages", recipe.views * count) as advance:
        for view in range(recipe.views):
            generator = torch.Generator().manual_seed(recipe.seed * 1009 + view)
            for start in range(0, count, _PICTURES_PER_STEP):
                rows = np.arange(start, min(start + _PICTURES_PER_STEP, count))
                pixels = pictures.augmented(rows, generator) if view else pictures.plain(rows)
                pixels = pixels.to(device).contiguous(memory_format=torch.channels_last)
                batch = front(pixels).half().cpu().numpy()
                if maps is None:
                    shape = (recipe.views, count, *batch.shape[1:])
                    maps = np.lib.format.open_memmap(file, "w+", np.float16, shape)
                maps[view, rows] = batch
                advance(len(rows))
    del maps  # written out

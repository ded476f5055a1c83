"""Weak augmentation: what a prompt says must still be true of the picture afterwards."""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image, ImageEnhance

from prompt_ensemble.training.regressor.recipe import Recipe


def augmented_pixels(
    image: Image.Image, recipe: Recipe, generator: torch.Generator
) -> torch.Tensor:
    """A crop that keeps most of the picture, maybe mirrored, a little lighter or greyer.

    ``(3, H, W)`` uint8 of the recipe's size.
    """
    image = _crop(image, recipe, generator)
    if recipe.flips and _uniform(0, 1, generator) < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if recipe.colour:
        for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            factor = _uniform(1 - recipe.colour, 1 + recipe.colour, generator)
            image = enhance(image).enhance(factor)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def _crop(image: Image.Image, recipe: Recipe, generator: torch.Generator) -> Image.Image:
    """A window of at least ``smallest_crop`` of each side, at the recipe's size."""
    scale = _uniform(recipe.smallest_crop, 1, generator)
    stretch = math.exp(_uniform(-recipe.stretch, recipe.stretch, generator))
    width = min(1.0, scale * stretch) * image.width
    height = min(1.0, scale / stretch) * image.height
    left = _uniform(0, image.width - width, generator)
    top = _uniform(0, image.height - height, generator)
    window = (left, top, left + width, top + height)
    return image.resize((recipe.size, recipe.size), Image.Resampling.BILINEAR, box=window)


def _uniform(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))

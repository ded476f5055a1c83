"""A map laid over a picture: the more, the redder; where there is nothing it stays grey."""

from __future__ import annotations

import numpy as np
from PIL import Image

_RED = np.array([230.0, 40.0, 20.0])
_STRONGEST = 0.75


def overlay(picture: Image.Image, weights: np.ndarray, most: float = 0.0) -> Image.Image:
    """The picture in grey under ``(g, h)`` weights; ``most`` is full red, the largest if 0."""
    most = most or float(weights.max())
    shares = np.clip(weights / most, 0, 1) if most > 0 else np.zeros_like(weights)
    levels = Image.fromarray((shares * 255).astype(np.uint8)).resize(
        picture.size, Image.Resampling.NEAREST
    )
    strength = np.asarray(levels, np.float64)[..., None] / 255 * _STRONGEST
    grey = np.asarray(picture.convert("L").convert("RGB"), np.float64)
    mixed = grey * (1 - strength) + _RED * strength
    return Image.fromarray(mixed.round().astype(np.uint8))

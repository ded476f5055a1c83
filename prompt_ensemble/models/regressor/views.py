"""Views of an image: mirrored, cropped, at another size, or normalised otherwise.

An image is opened once and resized once for each size; everything else happens on the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch.nn.functional import interpolate, normalize

from prompt_ensemble.core.errors import BadConfig, nearest_name
from prompt_ensemble.images.preprocessing import (
    CLIP_MEAN,
    CLIP_STD,
    HALF,
    IMAGENET_MEAN,
    IMAGENET_STD,
    Preprocessing,
)

_NORMS = {
    "norm-half": (HALF, HALF),
    "norm-imagenet": (IMAGENET_MEAN, IMAGENET_STD),
    "norm-clip": (CLIP_MEAN, CLIP_STD),
}
_CROPS = {
    "crop-centre": (0.5, 0.5),
    "crop-top-left": (0.0, 0.0),
    "crop-top-right": (0.0, 1.0),
    "crop-bottom-left": (1.0, 0.0),
    "crop-bottom-right": (1.0, 1.0),
}
"""Place of the cropped window: shares of the free space above it and left of it."""
_CROPPED_SHARE = 0.875
"""Side of a crop, as a share of the image's."""
_WORDS = ("plain", "flip", *_CROPS, "five-crop", *_NORMS, "size-<pixels>")
Average = Literal["unit", "raw"]


@dataclass(frozen=True)
class View:
    """One way to look at an image."""

    flip: bool = False
    crop: str = ""
    norm: str = ""
    size: int = 0
    """Side in pixels; 0 is the size that the model was trained with."""

    def recipe(self, recipe: Preprocessing) -> Preprocessing:
        """The model's preprocessing changed for this view."""
        recipe = at_size(recipe, self.size) if self.size else recipe
        if not self.norm:
            return recipe
        mean, std = _NORMS[self.norm]
        return replace(recipe, mean=mean, std=std)

    def of(self, pixels: torch.Tensor) -> torch.Tensor:
        """This view of normalised pixels ``(B, 3, H, W)``."""
        if self.crop:
            pixels = _cropped(pixels, *_CROPS[self.crop])
        return pixels.flip(-1) if self.flip else pixels


def at_size(recipe: Preprocessing, size: int) -> Preprocessing:
    """The preprocessing at another size; a centre crop keeps its share of the image."""
    shortest = recipe.resize_shortest
    if shortest is not None:
        shortest = round(shortest * size / min(recipe.height, recipe.width))
    return replace(recipe, height=size, width=size, resize_shortest=shortest)


def _cropped(pixels: torch.Tensor, top: float, left: float) -> torch.Tensor:
    """A window of each image, enlarged to the image's size."""
    height, width = pixels.shape[-2:]
    tall, wide = round(height * _CROPPED_SHARE), round(width * _CROPPED_SHARE)
    row, column = round((height - tall) * top), round((width - wide) * left)
    window = pixels[..., row : row + tall, column : column + wide]
    return interpolate(window, (height, width), mode="bicubic", antialias=True)


def parse_views(texts: Sequence[str]) -> tuple[View, ...]:
    """Views by their names in a preset: words joined by ``+``, such as ``size-288+flip``."""
    if not texts:
        raise BadConfig("views is empty; the one plain view is views = ['plain']")
    return tuple(view for text in texts for view in _parse_view(text))


def _parse_view(text: str) -> list[View]:
    """The view that a text names, or five of them for ``five-crop``."""
    views = [View()]
    for word in text.split("+"):
        if word == "five-crop":
            views = [replace(view, crop=crop) for view in views for crop in _CROPS]
        else:
            views = [_with_word(view, word) for view in views]
    return views


def _with_word(view: View, word: str) -> View:
    """The view with one more property."""
    name, _, number = word.partition("size-")
    if not name and number.isdecimal() and int(number):
        return replace(view, size=int(number))
    if word in _CROPS:
        return replace(view, crop=word)
    if word in _NORMS:
        return replace(view, norm=word)
    if word == "flip":
        return replace(view, flip=True)
    if word == "plain":
        return view
    raise BadConfig(f"unknown view {word!r}; {nearest_name(word, list(_WORDS))}")


def averaged(rows: Sequence[torch.Tensor], average: Average) -> torch.Tensor:
    """The mean of the views' rows for each image, with ``unit`` normalising each row first."""
    if len(rows) == 1:
        return rows[0]
    if average == "unit":
        rows = [normalize(row, dim=-1) for row in rows]
    return torch.stack(list(rows)).mean(dim=0)

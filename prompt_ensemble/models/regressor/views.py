"""Several looks at each image: mirrored, cropped, at another size, normalised otherwise.

An image is opened once and resized once for each size; all else happens on the device.
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

NORMS = {
    "norm-half": (HALF, HALF),
    "norm-imagenet": (IMAGENET_MEAN, IMAGENET_STD),
    "norm-clip": (CLIP_MEAN, CLIP_STD),
}
CROPS = {
    "crop-centre": (0.5, 0.5),
    "crop-top-left": (0.0, 0.0),
    "crop-top-right": (0.0, 1.0),
    "crop-bottom-left": (1.0, 0.0),
    "crop-bottom-right": (1.0, 1.0),
}
"""Where the cropped window stands, from the top and from the left."""
CROPPED_SHARE = 0.875
"""Side of a crop, as a share of the picture's."""
WORDS = ("plain", "flip", *CROPS, "five-crop", *NORMS, "size-<pixels>")
Average = Literal["unit", "raw"]


@dataclass(frozen=True)
class View:
    """One way to look at an image."""

    flip: bool = False
    crop: str = ""
    norm: str = ""
    size: int = 0
    """Side in pixels; 0 is the model's own."""

    def recipe(self, own: Preprocessing) -> Preprocessing:
        """How the picture is prepared and normalised for this view."""
        recipe = at_size(own, self.size) if self.size else own
        if not self.norm:
            return recipe
        mean, std = NORMS[self.norm]
        return replace(recipe, mean=mean, std=std)

    def of(self, pixels: torch.Tensor) -> torch.Tensor:
        """The view of normalised pixels ``(B, 3, H, W)``."""
        if self.crop:
            pixels = cropped(pixels, *CROPS[self.crop])
        return pixels.flip(-1) if self.flip else pixels


def at_size(own: Preprocessing, size: int) -> Preprocessing:
    """The recipe at another size, the crop keeping its share of the picture."""
    shortest = own.resize_shortest
    if shortest is not None:
        shortest = round(shortest * size / min(own.height, own.width))
    return replace(own, height=size, width=size, resize_shortest=shortest)


def cropped(pixels: torch.Tensor, top: float, left: float) -> torch.Tensor:
    """A window of each picture, brought back to the picture's size."""
    height, width = pixels.shape[-2:]
    tall, wide = round(height * CROPPED_SHARE), round(width * CROPPED_SHARE)
    row, column = round((height - tall) * top), round((width - wide) * left)
    window = pixels[..., row : row + tall, column : column + wide]
    return interpolate(window, (height, width), mode="bicubic", antialias=True)


def parse_views(texts: Sequence[str]) -> tuple[View, ...]:
    """Views as a preset names them: words joined by ``+``, such as ``size-288+flip``."""
    if not texts:
        raise BadConfig("views is empty; the one plain view is views = ['plain']")
    return tuple(view for text in texts for view in parse_view(text))


def parse_view(text: str) -> list[View]:
    """The view that a text names; five of them for ``five-crop``."""
    views = [View()]
    for word in text.split("+"):
        if word == "five-crop":
            views = [replace(view, crop=crop) for view in views for crop in CROPS]
        else:
            views = [with_word(view, word) for view in views]
    return views


def with_word(view: View, word: str) -> View:
    """A view changed as a word says."""
    name, _, number = word.partition("size-")
    if not name and number.isdecimal() and int(number):
        return replace(view, size=int(number))
    if word in CROPS:
        return replace(view, crop=word)
    if word in NORMS:
        return replace(view, norm=word)
    if word == "flip":
        return replace(view, flip=True)
    if word == "plain":
        return view
    raise BadConfig(f"unknown view {word!r}; {nearest_name(word, list(WORDS))}")


def averaged(rows: Sequence[torch.Tensor], average: Average) -> torch.Tensor:
    """One row an image from a row a view: each of length one first, or as the network left them."""
    if len(rows) == 1:
        return rows[0]
    if average == "unit":
        rows = [normalize(row, dim=-1) for row in rows]
    return torch.stack(list(rows)).mean(dim=0)

"""From a picture to the numbers a network was trained on.

A recipe always comes from the model's own files, never from the run's configuration. Workers do
the resizing and leave bytes; the division and the mean and std happen on the device, where they
are free and a quarter of the memory travels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from prompt_ensemble.core.errors import BadConfig

_INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
LONGEST_SIDE = 4096
"""No tower sees more; a larger number in a model's files is damage, and would fill the memory."""
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Preprocessing:
    """How one network wants its pictures."""

    height: int
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bicubic"
    resize_shortest: int | None = None
    """Length of the shorter side before the centre crop; None squashes to height × width."""

    def __post_init__(self) -> None:
        """A recipe out of a model's files that no picture could follow is refused."""
        sides = (self.height, self.width, self.resize_shortest or self.height)
        if not all(0 < side <= LONGEST_SIDE for side in sides):
            raise BadConfig(f"pictures of {sides} pixels; expected 1 to {LONGEST_SIDE} a side")
        if len(self.mean) != 3 or len(self.std) != 3 or not all(std > 0 for std in self.std):
            raise BadConfig(
                f"mean {self.mean} and std {self.std}; expected one number per colour, std above 0"
            )
        if self.interpolation not in _INTERPOLATIONS:
            raise BadConfig(
                f"interpolation {self.interpolation!r}; known: {', '.join(_INTERPOLATIONS)}"
            )

    def prepare(self, image: Image.Image) -> torch.Tensor:
        """An RGB picture as ``(3, height, width)`` uint8; safe to call from any thread."""
        if self.resize_shortest is None:
            resized = self.resize(image, self.width, self.height)
        else:
            resized = _centre_crop(self.shorten(image), self.width, self.height)
        return torch.from_numpy(np.array(resized)).permute(2, 0, 1)

    def shorten(self, image: Image.Image) -> Image.Image:
        """Shorter side to ``resize_shortest``, the longer cut down as torchvision does."""
        shortest = self.resize_shortest or min(image.size)
        width, height = image.size
        if width <= height:
            return self.resize(image, shortest, int(shortest * height / width))
        return self.resize(image, int(shortest * width / height), shortest)

    def resize(self, image: Image.Image, width: int, height: int) -> Image.Image:
        """Resized with the recipe's interpolation; untouched if it already fits."""
        if image.size == (width, height):
            return image
        return image.resize((width, height), _INTERPOLATIONS[self.interpolation])

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """``(…, 3, H, W)`` uint8 to the float32 the network was trained on, on any device."""
        mean = torch.tensor(self.mean, device=pixels.device).view(3, 1, 1)
        std = torch.tensor(self.std, device=pixels.device).view(3, 1, 1)
        return pixels.float().div_(255).sub_(mean).div_(std)


def _centre_crop(image: Image.Image, width: int, height: int) -> Image.Image:
    """The middle of a picture; a side that is too short is padded with black."""
    left = round((image.width - width) / 2)
    top = round((image.height - height) / 2)
    return image.crop((left, top, left + width, top + height))

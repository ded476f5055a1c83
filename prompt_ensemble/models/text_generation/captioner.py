"""The least a captioner's author writes: how to prepare a picture, and how to caption a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch
    from PIL import Image


@dataclass(frozen=True)
class Caption:
    """What was said, and its log-likelihood as the model's search scores it."""

    text: str
    score: float


class Captioner(Protocol):
    """A captioning model on its device."""

    def prepare(self, image: Image.Image) -> torch.Tensor:
        """An RGB picture as ``(3, H, W)`` uint8; called by worker threads."""

    def caption(self, pixels: torch.Tensor) -> list[tuple[Caption, ...]]:
        """Captions of each image of a ``(B, 3, H, W)`` uint8 batch, on the device, best first."""

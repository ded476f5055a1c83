"""What a two-sided tower offers: images and texts encoded into one space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from prompt_ensemble.images.preprocessing import Preprocessing


class TwoSidedTower(ABC):
    """A loaded image encoder and text encoder; rows are float32 of length one."""

    recipe: Preprocessing
    """How images are prepared for the image encoder."""

    @abstractmethod
    def encode_images(self, pixels: torch.Tensor) -> torch.Tensor:
        """``(B, 3, H, W)`` uint8 to ``(B, D)``, on the device."""

    @abstractmethod
    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Texts to ``(N, D)``, on the device."""

    @abstractmethod
    def is_full(self, text: str) -> bool:
        """Whether a text fills the context, so that further words would be cut off."""

"""A regressor: an image tower and a head, one class for training and inference."""

from __future__ import annotations

import torch
from torch import nn


class Regressor(nn.Module):
    """Normalised pixels ``(B, 3, H, W)`` to ``(B, 384)``."""

    def __init__(self, tower: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.tower = tower
        self.head = head

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Embeddings, not yet normalised to length one."""
        embeddings: torch.Tensor = self.head(self.tower(pixels))
        return embeddings

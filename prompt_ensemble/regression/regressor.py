"""A regressor: a tower, a head, and the pictures it wants; one class for training and inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import nn

from prompt_ensemble.device import Placement
from prompt_ensemble.findings import Findings
from prompt_ensemble.preprocessing import Preprocessing


class Regressor(nn.Module):
    """Normalised pixels ``(B, 3, H, W)`` to ``(B, 384)``."""

    def __init__(self, tower: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.tower = tower
        self.head = head

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Embeddings, not yet of length one."""
        embeddings: torch.Tensor = self.head(self.tower(pixels))
        return embeddings


class RegressorLooker:
    """A regressor on its device."""

    def __init__(self, model: Regressor, recipe: Preprocessing, placement: Placement) -> None:
        # Convolutions over channels-last pixels are faster on both GPUs and CPUs.
        layout: Any = {"memory_format": torch.channels_last}
        self.model = model.eval().to(placement.device, **layout)
        self.recipe = recipe

    def prepare(self, image: Image.Image) -> tuple[torch.Tensor, ...]:
        """The one view."""
        return (self.recipe.prepare(image),)

    def look(self, views: tuple[torch.Tensor, ...], image_ids: Sequence[str]) -> Findings:
        """Embeddings of a batch."""
        pixels = self.recipe.normalise(views[0]).contiguous(memory_format=torch.channels_last)
        return Findings.seen(image_ids, self.model(pixels).float().cpu().numpy())

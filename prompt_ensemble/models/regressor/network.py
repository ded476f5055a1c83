"""A regressor: a tower, a head, and the pictures it wants; one class for training and inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import nn

from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.regressor.views import Average, View, averaged

PLAIN = (View(),)


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


class OpenedRegressor:
    """A regressor on its device, and the views it takes of each image."""

    def __init__(
        self,
        model: Regressor,
        recipe: Preprocessing,
        placement: Placement,
        views: Sequence[View] = PLAIN,
        average: Average = "unit",
    ) -> None:
        # Convolutions over channels-last pixels are faster on both GPUs and CPUs.
        layout: Any = {"memory_format": torch.channels_last}
        self.model = model.eval().to(placement.device, **layout)
        self.views = views
        self.average: Average = average
        self.recipes = [view.recipe(recipe) for view in views]
        self.sizes = {(one.height, one.width): one for one in self.recipes}

    def prepare(self, image: Image.Image) -> tuple[torch.Tensor, ...]:
        """The picture at each size that is looked at."""
        return tuple(recipe.prepare(image) for recipe in self.sizes.values())

    def run(self, views: tuple[torch.Tensor, ...], image_ids: Sequence[str]) -> Outputs:
        """Embeddings of a batch, averaged over the views."""
        pictures = dict(zip(self.sizes, views, strict=True))
        rows = [
            self.see(view.of(recipe.normalise(pictures[recipe.height, recipe.width])))
            for view, recipe in zip(self.views, self.recipes, strict=True)
        ]
        return Outputs.of_vectors(image_ids, averaged(rows, self.average).cpu().numpy())

    def see(self, pixels: torch.Tensor) -> torch.Tensor:
        """Rows of one view."""
        rows: torch.Tensor = self.model(pixels.contiguous(memory_format=torch.channels_last))
        return rows.float()

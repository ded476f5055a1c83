"""The regressor as an opened model, with the views that it takes of each image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image

from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.members.contract import Batch, OpenedModel
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.regressor.network import Regressor
from prompt_ensemble.models.regressor.views import Average, View, averaged

_PLAIN_VIEW = (View(),)


class OpenedRegressor(OpenedModel):
    """A regressor on its device, with the views that it takes of each image."""

    def __init__(
        self,
        model: Regressor,
        recipe: Preprocessing,
        placement: Placement,
        views: Sequence[View] = _PLAIN_VIEW,
        average: Average = "unit",
    ) -> None:
        # Convolutions over channels-last pixels are faster on both GPUs and CPUs.
        layout: Any = {"memory_format": torch.channels_last}
        self.model = model.eval().to(placement.device, **layout)
        self.views = views
        self.average: Average = average
        self.recipes = [view.recipe(recipe) for view in views]
        self.sizes = {(recipe.height, recipe.width): recipe for recipe in self.recipes}

    def prepare(self, image: Image.Image) -> tuple[torch.Tensor, ...]:
        """The image at each size that a view needs."""
        return tuple(recipe.prepare(image) for recipe in self.sizes.values())

    def run(self, batch: Batch) -> Outputs:
        """Embeddings of a batch, averaged over the views."""
        images = dict(zip(self.sizes, batch.views, strict=True))
        rows = [
            self._predict(view.of(recipe.normalise(images[recipe.height, recipe.width])))
            for view, recipe in zip(self.views, self.recipes, strict=True)
        ]
        return Outputs.of_vectors(batch.image_ids, averaged(rows, self.average).cpu().numpy())

    def _predict(self, pixels: torch.Tensor) -> torch.Tensor:
        """Embeddings from one view of each image."""
        rows: torch.Tensor = self.model(pixels.contiguous(memory_format=torch.channels_last))
        return rows.float()

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
_LAYOUT = torch.channels_last


class OpenedRegressor(OpenedModel):
    """A regressor on its device, with the views that it takes of each image."""

    def __init__(
        self,
        model: Regressor,
        recipe: Preprocessing,
        placement: Placement,
        views: Sequence[View] = _PLAIN_VIEW,
        average: Average = "unit",
        keep_features: bool = False,
    ) -> None:
        # Convolutions over channels-last pixels are faster on both GPUs and CPUs.
        layout: Any = {"memory_format": _LAYOUT}
        self.model = model.eval().to(placement.device, **layout)
        self.views = views
        self.average: Average = average
        self.keep_features = keep_features
        self.recipes = [view.recipe(recipe) for view in views]
        self.sizes = {(recipe.height, recipe.width): recipe for recipe in self.recipes}

    def prepare(self, image: Image.Image) -> tuple[torch.Tensor, ...]:
        """The image at each size that a view needs."""
        return tuple(recipe.prepare(image) for recipe in self.sizes.values())

    def run(self, batch: Batch) -> Outputs:
        """Embeddings of a batch, averaged over the views."""
        images = dict(zip(self.sizes, batch.views, strict=True))
        seen = [
            self._see(view.of(recipe.normalise(images[recipe.height, recipe.width])))
            for view, recipe in zip(self.views, self.recipes, strict=True)
        ]
        rows = [self.model.head(features).float() for features in seen]
        vectors = averaged(rows, self.average).cpu().numpy()
        features = seen[0].float().cpu().numpy() if self.keep_features else None
        return Outputs.of_vectors(batch.image_ids, vectors, features)

    def _see(self, pixels: torch.Tensor) -> torch.Tensor:
        """The tower's features of one view of each image."""
        features: torch.Tensor = self.model.tower(pixels.contiguous(memory_format=_LAYOUT))
        return features

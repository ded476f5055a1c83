"""How regressors err, put onto the embeddings of texts.

Errors are drawn from the model that the vote uses (``models/error_model.py``): along each principal
direction of prompts a slope, and an independent error of some variance. That is all a writer may
know of left-out predictions: one that met their very errors in training, or only their covariance,
would take them out of those predictions again, and be judged too well on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import normalize

from prompt_ensemble.models.error_model import ErrorModel


@dataclass(frozen=True, eq=False)
class Disturbance:
    """The model of errors as tensors, float32; see ``ErrorModel``."""

    mean: torch.Tensor
    centre: torch.Tensor
    directions: torch.Tensor
    slopes: torch.Tensor
    variances: torch.Tensor

    @classmethod
    def of(cls, model: ErrorModel, device: torch.device) -> Disturbance:
        """The same on a device."""
        return cls(
            **{name: torch.from_numpy(array).to(device) for name, array in vars(model).items()}
        )

    def disturb(
        self, true: torch.Tensor, generator: torch.Generator, least: float, most: float
    ) -> torch.Tensor:
        """Unit rows as regressors might predict them; errors ``least`` to ``most`` as large."""
        device = true.device
        drawn = torch.randn(true.shape, generator=generator, device=device)
        size = torch.rand(len(true), 1, generator=generator, device=device)
        errors = (least + (most - least) * size) * self.variances.sqrt() * drawn
        along = (true - self.mean) @ self.directions * self.slopes + errors
        return normalize(self.centre + along @ self.directions.T, dim=-1)

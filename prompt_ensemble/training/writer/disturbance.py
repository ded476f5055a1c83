"""How regressors err, learnt from left-out pairs and put onto the embeddings of texts.

A prediction is modelled as the vote models it (``models/error_model.py``); errors are drawn from
the ones that were really made, mixed in pairs so that none comes twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import normalize

from prompt_ensemble.models.error_model import ErrorModel


@dataclass(frozen=True, eq=False)
class Disturbance:
    """The model of errors; all tensors float32."""

    mean: torch.Tensor
    centre: torch.Tensor
    directions: torch.Tensor
    slopes: torch.Tensor
    """As in ``ErrorModel``."""
    errors: torch.Tensor
    """``(N, 384)``"""

    @classmethod
    def of(cls, predicted: np.ndarray, true: np.ndarray) -> Disturbance:
        """From unit rows of predictions and of true prompts, whose own directions are taken."""
        model = ErrorModel.fit(predicted, true, true)
        arrays = (model.mean, model.centre, model.directions, model.slopes)
        mean, centre, directions, slopes = map(torch.from_numpy, arrays)
        p, t = torch.from_numpy(predicted).float(), torch.from_numpy(true).float()
        expected = centre + ((t - mean) @ directions * slopes) @ directions.T
        return cls(mean, centre, directions, slopes, p - expected)

    def to(self, device: torch.device) -> Disturbance:
        """The same on a device."""
        return Disturbance(*(tensor.to(device) for tensor in vars(self).values()))

    def disturb(
        self, true: torch.Tensor, generator: torch.Generator, least: float, most: float
    ) -> torch.Tensor:
        """Unit rows as regressors might predict them; errors ``least`` to ``most`` as large."""
        count, device = len(true), true.device

        def drawn(*shape: int) -> torch.Tensor:
            return torch.rand(*shape, generator=generator, device=device)

        first, second = ((drawn(count) * len(self.errors)).long() for _ in range(2))
        angle = drawn(count, 1) * (torch.pi / 2)
        errors = angle.cos() * self.errors[first] + angle.sin() * self.errors[second]
        size = least + (most - least) * drawn(count, 1)
        kept = ((true - self.mean) @ self.directions * self.slopes) @ self.directions.T
        return normalize(self.centre + kept + size * errors, dim=-1)

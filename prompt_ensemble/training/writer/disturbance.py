"""How regressors err, learnt from left-out pairs and put onto the embeddings of texts.

A prediction is modelled as ``p = m_p + S (t - m_t) + e``: the truth's difference from the mean
prompt, shortened along each principal direction of the prompts, and an error. Errors are drawn
from the ones that were really made, mixed in pairs so that none comes twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import normalize

from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.models.checkpoints import load_state


@dataclass(frozen=True, eq=False)
class Disturbance:
    """The model of errors; all tensors float32."""

    true_mean: torch.Tensor
    predicted_mean: torch.Tensor
    directions: torch.Tensor
    """``(384, 384)`` principal directions of the truth, as columns."""
    slopes: torch.Tensor
    """``(384,)``: what is left of a difference along each."""
    errors: torch.Tensor
    """``(N, 384)``"""

    @classmethod
    def of(cls, predicted: np.ndarray, true: np.ndarray) -> Disturbance:
        """From unit rows of predictions and of true prompts.

        A direction's slope is its covariance with the truth over the truth's variance, both with a
        little of the mean slope's variance added, for directions that hardly vary.
        """
        p, t = torch.from_numpy(predicted).float(), torch.from_numpy(true).float()
        p_mean, t_mean = p.mean(0), t.mean(0)
        variances, directions = torch.linalg.eigh((t - t_mean).T @ (t - t_mean) / len(t))
        along_t, along_p = (t - t_mean) @ directions, (p - p_mean) @ directions
        products = (along_t * along_p).mean(0)
        usual = products.sum() / variances.sum()
        pull = 0.1 * variances.mean()
        slopes = (products + pull * usual) / (variances + pull)
        errors = (along_p - slopes * along_t) @ directions.T
        return cls(t_mean, p_mean, directions, slopes, errors)

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
        kept = ((true - self.true_mean) @ self.directions * self.slopes) @ self.directions.T
        return normalize(self.predicted_mean + kept + size * errors, dim=-1)

    def save(self, path: Path) -> None:
        """Write in float16."""
        from safetensors.torch import save

        write_atomically(
            path, save({name: t.half().contiguous() for name, t in vars(self).items()})
        )

    @classmethod
    def load(cls, path: Path) -> Disturbance:
        """Read what ``save`` wrote."""
        state = load_state(path)
        return cls(**{name: tensor.float() for name, tensor in state.items()})

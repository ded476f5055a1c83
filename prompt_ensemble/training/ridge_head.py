"""The shortest recipe that works: a ridge regression on a tower's features, in closed form.

Where distinct prompts are few, a plain linear map with a strong penalty beats a trained
multi-layer head (docs/experiments.md). It predicts how a prompt differs from the average prompt;
that average is taken from a wider population than the training prompts, which repeat themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from prompt_ensemble.regression.head import HeadSpec

SMALLEST_SPREAD = 1e-3
"""Added to a feature's spread, so that one that never fires is not blown up."""


@dataclass(frozen=True, eq=False)
class RidgeHead:
    """``(features - centre) @ slope + base``: ``(D,)``, ``(D, 384)`` and ``(384,)`` float64."""

    centre: np.ndarray
    slope: np.ndarray
    base: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Predictions ``(N, 384)``, not yet of length one."""
        predicted: np.ndarray = (features - self.centre) @ self.slope + self.base
        return predicted


def fit_ridge_head(
    features: np.ndarray,
    targets: np.ndarray,
    row_weights: np.ndarray,
    base: np.ndarray,
    penalty: float = 3.0,
) -> RidgeHead:
    """Least squares on standardised features, each coefficient penalised alike.

    ``features`` is ``(N, D)``, ``targets`` ``(N, 384)``, ``row_weights`` ``(N,)``; ``base`` is the
    mean prompt that predictions start from. The penalty counts in units of a feature's variance.
    """
    shares = row_weights.astype(np.float64) / row_weights.sum()
    centre = shares @ features
    spread = features.std(axis=0, dtype=np.float64) + SMALLEST_SPREAD
    rows = ((features - centre) / spread).astype(np.float32)
    # Products in float32 for speed; the penalty keeps the system far from singular.
    weighted = rows * shares[:, None].astype(np.float32)
    system = torch.from_numpy(weighted.T @ rows).double()
    system.diagonal().add_(penalty)
    answers = torch.from_numpy(weighted.T @ (targets - shares @ targets)).double()
    slope = torch.cholesky_solve(answers, torch.linalg.cholesky(system)).numpy()
    return RidgeHead(centre, slope / spread[:, None], np.asarray(base, np.float64))


def starting_point(direction: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The average prompt's unit row at the length that fits the targets best.

    A mean of unit rows is shorter than one; starting from a longer row would drown what the
    features say.
    """
    return direction * float(np.average(targets @ direction, weights=weights))


def as_module(head: RidgeHead) -> tuple[nn.Linear, HeadSpec]:
    """The same map as one linear layer."""
    layer = nn.Linear(*head.slope.shape)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(head.slope.T))
        layer.bias.copy_(torch.from_numpy(head.base - head.centre @ head.slope))
    return layer.eval(), HeadSpec("linear", head.slope.shape[0])

"""A ridge regression on a tower's features, in closed form.

Where distinct prompts are few, a plain linear map with a strong penalty beats a trained
multi-layer head (docs/experiments.md). It predicts how a prompt differs from the average prompt;
that average is taken from a wider population than the training prompts, which repeat themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from prompt_ensemble.models.regressor.head import HeadSpec

_SMALLEST_SPREAD = 1e-3
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
    *,
    offsets: np.ndarray | None = None,
    pull: np.ndarray | None = None,
    damping: np.ndarray | None = None,
) -> RidgeHead:
    """Least squares on standardised features, each coefficient penalised alike.

    ``features`` is ``(N, D)``, ``targets`` ``(N, 384)``, ``row_weights`` ``(N,)``; ``base`` is the
    mean prompt that predictions start from. The penalty counts in units of a feature's variance.
    ``offsets`` (``source_offsets``) are more columns that explain a training row and are then
    forgotten. ``pull`` ``(D, 384)`` is the slope that the penalty draws to, zero if none is given,
    and ``damping`` ``(384, 384)`` a last map of all predicted differences.
    """
    shares = row_weights.astype(np.float64) / row_weights.sum()
    centre = shares @ features
    spread = features.std(axis=0, dtype=np.float64) + _SMALLEST_SPREAD
    rows = ((features - centre) / spread).astype(np.float32)
    columns = rows if offsets is None else np.hstack([rows, offsets.astype(np.float32)])
    rest = targets if pull is None else targets - (features @ pull).astype(np.float64)
    fitted = coefficients(columns, rest - shares @ rest, shares, penalty)
    slope = fitted[: rows.shape[1]] / spread[:, None]
    slope = slope if pull is None else slope + pull
    slope = slope if damping is None else slope @ damping
    return RidgeHead(centre, slope, np.asarray(base, np.float64))


def coefficients(
    rows: np.ndarray, answers: np.ndarray, shares: np.ndarray, penalty: float
) -> np.ndarray:
    """Penalised least squares, ``(D, 384)`` float64, by the smaller of its two systems.

    With ``X`` the rows and ``Y`` the answers, both weighted, ``(X'X + p)⁻¹ X'Y`` equals
    ``X'(XX' + p)⁻¹ Y``: the one solves for as many unknowns as features, the other for as many as
    rows. Products are in float32 for speed; the penalty keeps the system far from singular.
    """
    weighted = torch.from_numpy(rows * np.sqrt(shares)[:, None].astype(np.float32))
    wanted = torch.from_numpy((answers * np.sqrt(shares)[:, None]).astype(np.float32))
    if rows.shape[1] <= rows.shape[0]:
        return solve_penalised(weighted.T @ weighted, weighted.T @ wanted, penalty).numpy()
    few = solve_penalised(weighted @ weighted.T, wanted, penalty).float()
    return (weighted.T @ few).double().numpy()


def solve_penalised(system: torch.Tensor, answers: torch.Tensor, penalty: float) -> torch.Tensor:
    """``(system + penalty)⁻¹ answers`` in float64."""
    system = system.double()
    system.diagonal().add_(penalty)
    return torch.cholesky_solve(answers.double(), torch.linalg.cholesky(system))


def source_offsets(sources: Sequence[str], variance: float) -> np.ndarray:
    """A column for each source, which explains what its images share and other sources' do not.

    ``variance`` is that of an offset in the units of a standardised feature.
    """
    names, number = np.unique(np.array(sources), return_inverse=True)
    return np.eye(len(names), dtype=np.float32)[number] * np.float32(np.sqrt(variance))


def starting_point(direction: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The average prompt's unit row at the length that fits the targets best.

    A mean of unit rows is shorter than one; starting from a longer row would drown what the
    features add.
    """
    return direction * float(np.average(targets @ direction, weights=weights))


def ridge_module(head: RidgeHead) -> tuple[nn.Module, HeadSpec]:
    """The same map as one linear layer."""
    layer = nn.Linear(*head.slope.shape)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(head.slope.T))
        layer.bias.copy_(torch.from_numpy(head.base - head.centre @ head.slope))
    return layer.eval(), HeadSpec("linear", head.slope.shape[0])

"""From the nearest rows to one vector: a mean in which nearer rows weigh more."""

from __future__ import annotations

import numpy as np

from prompt_ensemble.core.embeddings import unit_rows


def inverse_power_shares(
    cosines: np.ndarray, power: float, *, epsilon: float = 0.0, nearest: float = 0.0
) -> np.ndarray:
    """Shares ``1 / (max(d, nearest)^power + epsilon)`` of cosine distances d, rows of sum one.

    Either ``epsilon`` or ``nearest`` keeps the share of a perfect match finite.
    """
    distances = np.maximum(1 - np.asarray(cosines, np.float64), nearest)
    shares = 1 / (distances**power + epsilon)
    normalised: np.ndarray = shares / shares.sum(axis=1, keepdims=True)
    return normalised


def weighted_mean(shares: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Unit rows ``(Q, D)`` from shares ``(Q, k)`` and the neighbours' vectors ``(Q, k, D)``."""
    return unit_rows(np.einsum("qk,qkd->qd", shares, vectors, dtype=np.float64))

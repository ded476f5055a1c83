"""From neighbours to one vector: a mean in which nearer ones weigh more."""

from __future__ import annotations

import numpy as np

from prompt_ensemble.core.embeddings import unit_rows

EPSILON = 1e-6
"""Keeps the weight of a perfect match finite."""


def neighbour_shares(cosines: np.ndarray, power: float, epsilon: float = EPSILON) -> np.ndarray:
    """Weights ``1 / (d^power + epsilon)`` of cosine distances d, each row summing to one."""
    distances = np.maximum(1 - np.asarray(cosines, np.float64), 0)
    weights = 1 / (distances**power + epsilon)
    shares: np.ndarray = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def weighted_mean(shares: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Unit rows ``(Q, D)`` from shares ``(Q, k)`` and the neighbours' vectors ``(Q, k, D)``."""
    return unit_rows(np.einsum("qk,qkd->qd", shares, vectors, dtype=np.float64))

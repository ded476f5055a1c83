"""The score of blend weights and its gradient, from inner products alone."""

from __future__ import annotations

import numpy as np

from prompt_ensemble.tuning.statistics import Statistics

SHORTEST = 1e-12
"""Squared length below which a blend has no direction; members that cancel out score 0."""


def blend_cosines(statistics: Statistics, weights: np.ndarray) -> np.ndarray:
    """Cosine of the blend to the truth for each image, ``(N,)``."""
    along, squared = along_and_squared(statistics, weights)
    cosines: np.ndarray = along / np.sqrt(squared)
    return cosines


def mean_and_gradient(statistics: Statistics, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean cosine and its derivative by each weight."""
    along, squared = along_and_squared(statistics, weights)
    inverse = 1 / np.sqrt(squared)
    cosines = along * inverse
    pull = statistics.to_truth.T @ inverse
    curvature = square(statistics, statistics.among.T @ (cosines / squared))
    gradient = (pull - curvature @ weights) / len(statistics)
    return float(cosines.mean()), gradient


def along_and_squared(statistics: Statistics, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The blend's inner product with the truth and its squared length, per image."""
    one, other = statistics.pairs
    twice = np.where(one == other, 1.0, 2.0)
    squared = statistics.among @ (twice * weights[one] * weights[other])
    return statistics.to_truth @ weights, np.maximum(squared, SHORTEST)


def square(statistics: Statistics, triangle: np.ndarray) -> np.ndarray:
    """A symmetric ``(K, K)`` matrix from its upper triangle."""
    matrix: np.ndarray = triangle[statistics.column_of_pair]
    return matrix

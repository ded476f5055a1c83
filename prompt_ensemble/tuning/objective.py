"""The score of blend weights and its gradient, from inner products alone.

For one image the blend's cosine to the truth and its derivative by the weights ``w`` are

    c = w·t / sqrt(w·Gw)        dc/dw = t / sqrt(w·Gw) - c Gw / (w·Gw)

with ``t`` the members' cosines to the truth and ``G`` those among the members. The score is the
mean over images; ``G`` is weighted and summed over the images before it is multiplied by ``w``,
so that a gradient costs little more than a score.
"""

from __future__ import annotations

import numpy as np

from prompt_ensemble.tuning.statistics import Statistics

SHORTEST = 1e-12
"""Squared length below which a blend has no direction; members that cancel out score 0."""


def blend_cosines(statistics: Statistics, weights: np.ndarray) -> np.ndarray:
    """Cosine of the blend to the truth for each image, ``(N,)``."""
    products, squared_lengths = _products_and_squared_lengths(statistics, weights)
    cosines: np.ndarray = products / np.sqrt(squared_lengths)
    return cosines


def mean_and_gradient(statistics: Statistics, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean cosine and its derivative by each weight."""
    products, squared_lengths = _products_and_squared_lengths(statistics, weights)
    inverse = 1 / np.sqrt(squared_lengths)
    cosines = products * inverse
    towards_truth = statistics.to_truth.T @ inverse
    among = symmetric(statistics, statistics.among.T @ (cosines / squared_lengths))
    gradient = (towards_truth - among @ weights) / len(statistics)
    return float(cosines.mean()), gradient


def symmetric(statistics: Statistics, triangle: np.ndarray) -> np.ndarray:
    """A symmetric ``(K, K)`` matrix from its upper triangle."""
    matrix: np.ndarray = triangle[statistics.column_of_pair]
    return matrix


def _products_and_squared_lengths(
    statistics: Statistics, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``w·t`` and ``w·Gw`` of each image."""
    first, second = statistics.pairs
    times = np.where(first == second, 1.0, 2.0)
    squared_lengths = statistics.among @ (times * weights[first] * weights[second])
    return statistics.to_truth @ weights, np.maximum(squared_lengths, SHORTEST)

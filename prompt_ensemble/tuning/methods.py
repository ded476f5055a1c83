"""Methods that fit blend weights: the one in use, two references, equal weights as a control.

The score does not change when all weights are scaled, so weights need not sum to one while
they are fitted: they are kept from falling below zero, and scaled to sum one afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize, nnls

from prompt_ensemble.tuning.objective import blend_cosines, mean_and_gradient, symmetric
from prompt_ensemble.tuning.statistics import Statistics

Method = Callable[[Statistics], np.ndarray]
"""From statistics of images to ``(K,)`` weights, 0 or more, that sum to one."""

_LEADER_SHARE = 0.7
"""Weight of the best single member in the start that is near it."""
_WEIGHT_STEPS = 10_000
"""Steps that weights are rounded to: one more or less moves a score by less than 1e-7."""
_SAME_MAXIMUM = 1e-9
"""Mean cosines this near are equal."""
_NELDER_MEAD_IMAGES = 5000
_NELDER_MEAD_TRIALS = 600


def equal(statistics: Statistics) -> np.ndarray:
    """The control: every member the same."""
    return np.full(len(statistics.names), 1 / len(statistics.names))


def best_single(statistics: Statistics) -> np.ndarray:
    """All weight on the member that is best alone."""
    means = statistics.to_truth.mean(axis=0)
    alone: np.ndarray = np.eye(len(means))[means.argmax()]
    return alone


def mean_cosine(statistics: Statistics) -> np.ndarray:
    """Weights of the highest mean cosine: L-BFGS-B by the exact gradient, from several starts."""
    return _ascend(statistics, _starts(statistics))


def _ascend(statistics: Statistics, starts: Sequence[np.ndarray]) -> np.ndarray:
    """The best maximum reached; of those equal but for rounding the one of the first start."""

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        mean, gradient = mean_and_gradient(statistics, weights)
        return -mean, -gradient

    bounds = [(0.0, None)] * len(statistics.names)
    # Tight to the limit of float64, so that a processor's last bits change no digit that is kept.
    options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 500}
    ends = [
        minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        for start in starts
    ]
    lowest = min(float(end.fun) for end in ends)
    first = next(end for end in ends if end.fun <= lowest + _SAME_MAXIMUM)
    return _with_sum_one(first.x)


def _starts(statistics: Statistics) -> list[np.ndarray]:
    """Where climbing begins: the middle, least squares, and near the best single member."""
    middle = equal(statistics)
    leader = _LEADER_SHARE * best_single(statistics) + (1 - _LEADER_SHARE) * middle
    return [middle, least_squares(statistics), leader]


def least_squares(statistics: Statistics) -> np.ndarray:
    """Reference: weights, 0 or more, whose unnormalised blend is nearest to the truth."""
    matrix = symmetric(statistics, statistics.among.mean(axis=0))
    values, vectors = np.linalg.eigh(matrix)
    kept = values > values[-1] * 1e-10
    root = (vectors[:, kept] * np.sqrt(values[kept])).T
    projected = (vectors[:, kept].T @ statistics.to_truth.mean(axis=0)) / np.sqrt(values[kept])
    weights, _ = nnls(root, projected)
    return _with_sum_one(weights) if weights.any() else equal(statistics)


def nelder_mead(statistics: Statistics) -> np.ndarray:
    """Reference: the search many competitors use, without a gradient, on at most 5000 images."""
    step = -(-len(statistics) // _NELDER_MEAD_IMAGES)
    few = statistics.rows(np.arange(0, len(statistics), step))

    def loss(logits: np.ndarray) -> float:
        return -float(blend_cosines(few, _softmax(logits)).mean())

    options = {"maxfev": _NELDER_MEAD_TRIALS, "adaptive": True}
    end = minimize(loss, np.zeros(len(few.names)), method="Nelder-Mead", options=options)
    return _softmax(end.x)


def rounded(weights: np.ndarray) -> np.ndarray:
    """Weights in whole 1/10,000, their sum one: the same digits on every processor."""
    steps = np.round(weights * _WEIGHT_STEPS)
    steps[steps.argmax()] += _WEIGHT_STEPS - steps.sum()
    whole: np.ndarray = steps / _WEIGHT_STEPS
    return whole


def _with_sum_one(weights: np.ndarray) -> np.ndarray:
    """The same weights with sum one."""
    scaled: np.ndarray = weights / weights.sum()
    return scaled


def _softmax(logits: np.ndarray) -> np.ndarray:
    """Weights above zero with sum one."""
    return _with_sum_one(np.exp(logits - logits.max()))

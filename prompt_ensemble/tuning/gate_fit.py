"""Fits a gate by gradient ascent on the mean cosine.

Slopes cost: a gate that has nothing to go by ends as the fixed weights it began with.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from prompt_ensemble.core.certainty import Signals
from prompt_ensemble.core.gate import Gate, gate_weights, softmax_rows, standardise
from prompt_ensemble.tuning.objective import SHORTEST
from prompt_ensemble.tuning.statistics import Statistics

FITTED_IMAGES = 20_000
"""Images a gate is fitted to at most, evenly spread; it has few numbers to learn."""
SLOPE_COST = 1e-3
SMALLEST_WEIGHT = 1e-4
"""Members below it take no part: a gate cannot bring back what the fixed weights dropped."""


def gate_cosines(gate: Gate, statistics: Statistics, signals: Signals) -> np.ndarray:
    """Cosine of the gated blend to the truth for each image."""
    part = statistics.members(gate.members)
    along, squared, _ = along_squared_lengths(part, gate_weights(gate, signals))
    cosines: np.ndarray = along / np.sqrt(squared)
    return cosines


def fit_gate(statistics: Statistics, signals: Signals, weights: np.ndarray) -> Gate:
    """The gate that starts from fixed ``weights`` and climbs from there."""
    members = tuple(np.array(statistics.names)[weights > SMALLEST_WEIGHT].tolist())
    base = np.log(weights[weights > SMALLEST_WEIGHT])
    few = np.arange(0, len(statistics), -(-len(statistics) // FITTED_IMAGES))
    values = np.stack([signals[name] for name in sorted(signals)], axis=1)[few]
    centre, scale = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-9)
    part = statistics.rows(few).members(members)
    standard = standardise(values, centre, scale)
    shape = (len(members), 1 + standard.shape[1])
    start = np.concatenate([base[:, None], np.zeros((shape[0], shape[1] - 1))], axis=1)
    end = minimize(
        lambda flat: loss(flat.reshape(shape), part, standard),
        start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 100, "ftol": 1e-8},
    )  # fmt: skip
    found = end.x.reshape(shape)
    return Gate(
        members,
        tuple(sorted(signals)),
        as_tuple(centre),
        as_tuple(scale),
        as_tuple(found[:, 0]),
        tuple(as_tuple(row) for row in found[:, 1:]),
    )


def loss(
    numbers: np.ndarray, statistics: Statistics, standard: np.ndarray
) -> tuple[float, np.ndarray]:
    """What is minimised, and its gradient: minus the mean cosine, plus the cost of slopes."""
    weights = softmax_rows(numbers[:, 0] + standard @ numbers[:, 1:].T)
    along, squared, pull = along_squared_lengths(statistics, weights)
    length = np.sqrt(squared)
    by_weight = statistics.to_truth / length[:, None] - pull * (along / (squared * length))[:, None]
    inner = (by_weight * weights).sum(axis=1, keepdims=True)
    by_logit = weights * (by_weight - inner) / len(weights)
    gradient = np.concatenate([by_logit.sum(axis=0)[:, None], by_logit.T @ standard], axis=1)
    slopes = numbers[:, 1:]
    gradient[:, 1:] -= 2 * SLOPE_COST * slopes
    return float(SLOPE_COST * (slopes**2).sum() - (along / length).mean()), -gradient.ravel()


def along_squared_lengths(
    statistics: Statistics, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per image: the blend's product with the truth, its squared length, and ``G w``."""
    pull = np.einsum("nkl,nl->nk", statistics.among[:, statistics.column_of_pair], weights)
    squared = np.maximum((pull * weights).sum(axis=1), SHORTEST)
    return (statistics.to_truth * weights).sum(axis=1), squared, pull


def as_tuple(values: np.ndarray) -> tuple[float, ...]:
    """Plain numbers."""
    return tuple(float(value) for value in values)

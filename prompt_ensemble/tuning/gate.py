"""A gate: weights that differ from image to image with the members' signs of certainty.

The weights are ``softmax(base + slopes·z)`` with ``z`` the signals, standardised and clipped.
Slopes cost: a gate that has nothing to go by ends as the fixed weights it began with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from prompt_ensemble.tuning.objective import SHORTEST
from prompt_ensemble.tuning.signals import Signals
from prompt_ensemble.tuning.statistics import Statistics

FITTED_IMAGES = 20_000
"""Images a gate is fitted to at most, evenly spread; it has few numbers to learn."""
SLOPE_COST = 1e-3
CLIPPED_AT = 3.0
SMALLEST_WEIGHT = 1e-4
"""Members below it take no part: a gate cannot bring back what the fixed weights dropped."""


@dataclass(frozen=True)
class Gate:
    """Numbers of a fitted gate; tuples, so that it goes into JSON and back as it is."""

    members: tuple[str, ...]
    signals: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    base: tuple[float, ...]
    """``(K,)`` logarithms of weights."""
    slopes: tuple[tuple[float, ...], ...]
    """``(K, S)`` change of the logarithm by one standard deviation of each signal."""


def gate_weights(gate: Gate, signals: Mapping[str, np.ndarray]) -> np.ndarray:
    """``(N, K)`` weights, one row an image, each with sum one."""
    values = np.stack([signals[name] for name in gate.signals], axis=1)
    standard = standardise(values, np.array(gate.centre), np.array(gate.scale))
    return softmax_rows(np.array(gate.base) + standard @ np.array(gate.slopes).T)


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


def standardise(values: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Signals in standard deviations, outliers cut."""
    clipped: np.ndarray = np.clip((values - centre) / scale, -CLIPPED_AT, CLIPPED_AT)
    return clipped


def softmax_rows(logits: np.ndarray) -> np.ndarray:
    """Rows of weights with sum one."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    rows: np.ndarray = raised / raised.sum(axis=1, keepdims=True)
    return rows


def as_tuple(values: np.ndarray) -> tuple[float, ...]:
    """Plain numbers."""
    return tuple(float(value) for value in values)

"""Fits a gate by gradient ascent on the mean cosine.

The weights of an image are ``w = softmax(a)`` with logits ``a = base + slopes z`` and ``z`` its
signals. With ``c`` the cosine of the blend, ``t`` and ``G`` as in ``objective``,

    dc/dw_k = t_k / sqrt(w·Gw) - c (Gw)_k / (w·Gw)
    dc/da_k = w_k (dc/dw_k - sum_j w_j dc/dw_j)
    dc/dbase_k = dc/da_k        dc/dslopes_ks = z_s dc/da_k

The first line is the gradient of the fixed weights, but here every image has its own, so nothing
can be summed beforehand. The second is the chain rule through the softmax: raising one logit takes
weight from all other members. Slopes cost their square, so that a gate whose signals say nothing
ends as the fixed weights it began with.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from prompt_ensemble.core.certainty import Signals
from prompt_ensemble.core.gate import Gate, gate_weights, softmax_rows, standardise
from prompt_ensemble.tuning.objective import SHORTEST
from prompt_ensemble.tuning.statistics import Statistics

_FITTED_IMAGES = 20_000
"""Images a gate is fitted to at most, evenly spread; it has few numbers to learn."""
_SLOPE_COST = 1e-3
_SMALLEST_WEIGHT = 1e-4
"""Members below it take no part: a gate cannot bring back what the fixed weights dropped."""


def gate_cosines(gate: Gate, statistics: Statistics, signals: Signals) -> np.ndarray:
    """Cosine of the gated blend to the truth for each image."""
    members = statistics.members(gate.members)
    products, squared_lengths, _ = _blend_products(members, gate_weights(gate, signals))
    cosines: np.ndarray = products / np.sqrt(squared_lengths)
    return cosines


def fit_gate(statistics: Statistics, signals: Signals, weights: np.ndarray) -> Gate:
    """The gate that starts from fixed ``weights`` and climbs from there."""
    taking_part = weights > _SMALLEST_WEIGHT
    members = tuple(np.array(statistics.names)[taking_part].tolist())
    few = np.arange(0, len(statistics), -(-len(statistics) // _FITTED_IMAGES))
    values = np.stack([signals[name] for name in sorted(signals)], axis=1)[few]
    centre, scale = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-9)
    fitted = statistics.rows(few).members(members)
    standard = standardise(values, centre, scale)
    start = np.zeros((len(members), 1 + standard.shape[1]))
    start[:, 0] = np.log(weights[taking_part])
    end = minimize(
        lambda flat: loss_and_gradient(flat.reshape(start.shape), fitted, standard),
        start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 100, "ftol": 1e-8},
    )  # fmt: skip
    coefficients = end.x.reshape(start.shape)
    return Gate(
        members,
        tuple(sorted(signals)),
        _as_tuple(centre),
        _as_tuple(scale),
        _as_tuple(coefficients[:, 0]),
        tuple(_as_tuple(row) for row in coefficients[:, 1:]),
    )


def loss_and_gradient(
    coefficients: np.ndarray, statistics: Statistics, standard: np.ndarray
) -> tuple[float, np.ndarray]:
    """Minus the mean cosine plus the cost of slopes, and its gradient by the coefficients.

    ``coefficients`` ``(K, 1 + S)`` are base and slopes, ``standard`` ``(N, S)`` the signals; the
    gradient is flat.
    """
    base, slopes = coefficients[:, 0], coefficients[:, 1:]
    weights = softmax_rows(base + standard @ slopes.T)
    products, squared_lengths, to_members = _blend_products(statistics, weights)
    lengths = np.sqrt(squared_lengths)
    cosines = products / lengths
    by_weight = (
        statistics.to_truth / lengths[:, None] - to_members * (cosines / squared_lengths)[:, None]
    )
    weighted_mean = (by_weight * weights).sum(axis=1, keepdims=True)
    by_logit = weights * (by_weight - weighted_mean) / len(weights)
    gradient = np.concatenate([by_logit.sum(axis=0)[:, None], by_logit.T @ standard], axis=1)
    gradient[:, 1:] -= 2 * _SLOPE_COST * slopes
    return float(_SLOPE_COST * (slopes**2).sum() - cosines.mean()), -gradient.ravel()


def _blend_products(
    statistics: Statistics, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``w·t``, ``w·Gw`` and ``Gw`` of each image with its own weights."""
    to_members = np.einsum("nkl,nl->nk", statistics.among[:, statistics.column_of_pair], weights)
    squared_lengths = np.maximum((to_members * weights).sum(axis=1), SHORTEST)
    return (statistics.to_truth * weights).sum(axis=1), squared_lengths, to_members


def _as_tuple(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)

"""A gate: blend weights that vary from image to image with signals of the members' certainty.

The weights of an image are ``softmax(base + slopes z)``, with ``z`` its signals, standardised and
clipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

_CLIPPED_AT = 3.0
"""Standard deviations at which a signal is cut."""


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


def standardise(values: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Signals in standard deviations, outliers cut."""
    clipped: np.ndarray = np.clip((values - centre) / scale, -_CLIPPED_AT, _CLIPPED_AT)
    return clipped


def softmax_rows(logits: np.ndarray) -> np.ndarray:
    """Rows of weights with sum one."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    rows: np.ndarray = raised / raised.sum(axis=1, keepdims=True)
    return rows

"""Signals of how sure each member is of an image: what a gate may weigh members by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.core.pair_products import column_of_pair

Signals = dict[str, np.ndarray]
"""Name of a signal to its value for each image, ``(N,)``."""


def agreement(names: Sequence[str], products: np.ndarray) -> Signals:
    """Mean cosine of each member to the others, from the products of ``pair_products``."""
    if len(names) < 2:
        return {}
    columns = column_of_pair(len(names))
    return {
        f"{name} agreement": products[:, np.delete(columns[place], place)].mean(axis=1)
        for place, name in enumerate(names)
    }


def text_confidence(outputs: Mapping[str, Outputs]) -> Signals:
    """Score and margin of the first text of each member that has texts for all images.

    A score is a likelihood or a cosine, as the member gives it.
    """
    signals: Signals = {}
    for name, member_outputs in sorted(outputs.items()):
        if member_outputs.lines and all(member_outputs.lines):
            rows = np.array([_score_and_margin(lines) for lines in member_outputs.lines])
            signals[f"{name} score"], signals[f"{name} margin"] = rows.T
    return signals


def _score_and_margin(lines: tuple[Line, ...]) -> tuple[float, float]:
    """The first line's score, and by how much it beats the next line of its kind."""
    rivals = [line.score for line in lines if line.kind == lines[0].kind]
    return rivals[0], rivals[0] - rivals[1] if len(rivals) > 1 else 0.0

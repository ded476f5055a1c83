"""Cheap signs of how sure each member is of an image: what a gate may weigh members by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.core.pair_products import column_of_pair

Signals = dict[str, np.ndarray]
"""Name of a signal to its value for each image, ``(N,)``."""


def agreement(names: Sequence[str], among: np.ndarray) -> Signals:
    """Mean cosine of each member to the others, from the products of ``products_among``."""
    if len(names) < 2:
        return {}
    pairs = column_of_pair(len(names))
    return {
        f"{name} agreement": among[:, np.delete(pairs[place], place)].mean(axis=1)
        for place, name in enumerate(names)
    }


def said(outputs: Mapping[str, Outputs]) -> Signals:
    """Score and margin of what each speaking member said first: likelihood, or cosine."""
    found: Signals = {}
    for name, of_member in sorted(outputs.items()):
        if of_member.lines and all(of_member.lines):
            both = np.array([score_and_margin(lines) for lines in of_member.lines])
            found[f"{name} score"], found[f"{name} margin"] = both.T
    return found


def score_and_margin(lines: tuple[Line, ...]) -> tuple[float, float]:
    """The first line's score, and by how much it beats the next line of its kind."""
    rivals = [line.score for line in lines if line.kind == lines[0].kind]
    return rivals[0], rivals[0] - rivals[1] if len(rivals) > 1 else 0.0

"""Per-image values of all runs, put side by side: means, differences, and the same within parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from prompt_ensemble.core.intervals import Difference, Resampling
from prompt_ensemble.study.seeds import Summary, difference, summarise

Values = Mapping[str, np.ndarray]
"""Contender → ``(N, S)``, a column for each of its runs."""
Pair = tuple[str, str]


@dataclass(frozen=True)
class Comparison:
    """One measure of all contenders over the same images."""

    summaries: Mapping[str, Summary]
    differences: Mapping[Pair, Difference]
    """The first less the second, where there are groups enough for an interval."""


def compare_values(values: Values, groups: np.ndarray) -> Comparison | None:
    """Over the images where all values are numbers; None if there is no such image."""
    defined = np.all([np.isfinite(columns).all(axis=1) for columns in values.values()], axis=0)
    if not defined.any():
        return None
    resampling = Resampling(groups[defined])
    shown = {name: columns[defined] for name, columns in values.items()}
    found = {
        (first, second): difference(shown[first], shown[second], resampling)
        for first, second in combinations(shown, 2)
    }
    return Comparison(
        {name: summarise(columns, resampling) for name, columns in shown.items()},
        {pair: gain for pair, gain in found.items() if gain is not None},
    )


def compare_within(
    values: Values, labels: Sequence[Sequence[str]], order: Sequence[str], groups: np.ndarray
) -> dict[str, Comparison]:
    """The same within the images of each label, in the order given; an image may have several."""
    parts = {}
    for label in order:
        chosen = np.array([label in some for some in labels])
        if not chosen.any():
            continue
        part = {name: columns[chosen] for name, columns in values.items()}
        comparison = compare_values(part, groups[chosen])
        if comparison:
            parts[label] = comparison
    return parts

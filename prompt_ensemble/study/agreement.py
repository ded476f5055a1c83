"""How far captioners agree: cosines of what two of them say of the same image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement

import numpy as np

from prompt_ensemble.core.intervals import Resampling, Score
from prompt_ensemble.evaluation.controls import mean_of_other_groups, shuffled_cosines


@dataclass(frozen=True)
class Agreement:
    """Of two contenders, or of one contender's seeds with each other."""

    cosine: Score
    """Mean over images and pairs of runs."""
    elsewhere: float
    """The same of captions of different images: what is alike whatever is to be seen."""
    same_text: float
    """Share of images of which both say the same, word for word."""


def agreements(
    vectors: Mapping[str, Sequence[np.ndarray]],
    texts: Mapping[str, Sequence[Sequence[str]]],
    groups: np.ndarray,
) -> dict[tuple[str, str], Agreement]:
    """Each two contenders by their runs' ``(N, 384)`` vectors and texts; itself if it has seeds."""
    resampling = Resampling(groups)
    found = {}
    for first, second in combinations_with_replacement(vectors, 2):
        pairs = _pairs(len(vectors[first]), len(vectors[second]), first == second)
        if not pairs:
            continue
        own, elsewhere, same = [], [], []
        for one, other in pairs:
            left, right = vectors[first][one], vectors[second][other]
            own.append(np.einsum("ij,ij->i", left, right, dtype=np.float64))
            elsewhere.append(shuffled_cosines(left, mean_of_other_groups(right, groups)).mean())
            said = zip(texts[first][one], texts[second][other], strict=True)
            same.append(np.mean([a == b for a, b in said]))
        found[first, second] = Agreement(
            resampling.interval(np.mean(own, axis=0)), float(np.mean(elsewhere)),
            float(np.mean(same)),
        )  # fmt: skip
    return found


def _pairs(first: int, second: int, are_same: bool) -> list[tuple[int, int]]:
    """Runs that are compared; none with itself."""
    if are_same:
        return list(combinations(range(first), 2))
    return [(one, other) for one in range(first) for other in range(second)]

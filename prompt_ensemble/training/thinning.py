"""Fewer images where there are many alike, so that features are computed in minutes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from prompt_ensemble.training.pairs import Pairs


@dataclass(frozen=True)
class Thinning:
    """How many images stay: of each prompt by its tier, and by chance."""

    images_a: int = 3
    images_other: int = 1
    keep_b: float = 0.7
    keep_c: float = 0.35
    keep_photo: float = 0.55
    seed: int = 7


def thinned(pairs: Pairs, thinning: Thinning) -> np.ndarray:
    """Rows that stay, in order; the same for the same pairs."""
    random = np.random.default_rng(thinning.seed)
    keep = {"B": thinning.keep_b, "C": thinning.keep_c, "photo": thinning.keep_photo}
    seen: Counter[str] = Counter()
    rows = []
    for row in random.permutation(len(pairs)).tolist():
        pair = pairs.rows[row]
        most = thinning.images_a if pair.tier == "A" else thinning.images_other
        if seen[pair.prompt] < most and random.random() < keep.get(pair.tier, 1.0):
            seen[pair.prompt] += 1
            rows.append(row)
    return np.array(sorted(rows))

"""Fewer images where there are many alike, so that features are computed in minutes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from prompt_ensemble.data.pairs import Pairs


@dataclass(frozen=True)
class Thinning:
    """How many images of each prompt stay, by its tier; which ones, chance says."""

    images_a: int = 3
    images_other: int = 1
    seed: int = 7


def thinned(pairs: Pairs, thinning: Thinning) -> np.ndarray:
    """Rows that stay, in order; the same for the same pairs."""
    random = np.random.default_rng(thinning.seed)
    seen: Counter[str] = Counter()
    rows = []
    for row in random.permutation(len(pairs)).tolist():
        pair = pairs.rows[row]
        most = thinning.images_a if pair.tier == "A" else thinning.images_other
        if seen[pair.prompt] < most:
            seen[pair.prompt] += 1
            rows.append(row)
    return np.array(sorted(rows))


def thin(pairs: Pairs, thinning: Thinning) -> Pairs:
    """The pairs that stay, under the digest of all."""
    return replace(pairs, rows=tuple(pairs.rows[row] for row in thinned(pairs, thinning).tolist()))

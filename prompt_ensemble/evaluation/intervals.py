"""How sure a mean is: intervals and p-values that resample groups of prompts, not images.

Images of one prompt, or of nearly the same prompts, rise and fall together. Resampling images
would count them as independent and make every interval too narrow; so whole groups are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from prompt_ensemble.metric import RESAMPLES, Score

DRAWS_AT_ONCE = 20_000_000
"""Numbers drawn for one block of resamples, which bounds its memory to some hundred MB."""


@dataclass(frozen=True)
class Difference:
    """Mean of one thing minus another over the same images, its 95% interval and p-value."""

    mean: float
    low: float
    high: float
    p_value: float
    """Two-sided, from flipping the signs of whole groups."""

    @property
    def beyond_noise(self) -> bool:
        """Whether the first is better and the interval leaves no doubt of it."""
        return self.low > 0

    def __str__(self) -> str:
        return f"{self.mean:+.4f} (95% {self.low:+.4f} to {self.high:+.4f}, p = {self.p_value:.2g})"


def intervals(columns: np.ndarray, groups: np.ndarray | None = None, seed: int = 0) -> list[Score]:
    """Mean and 95% interval of each column of ``(N, C)`` per-image values."""
    sums, counts = group_sums(columns, groups)
    drawn = np.concatenate(
        [times @ sums / (times @ counts)[:, None] for times in draws(counts, seed)]
    )
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    means = columns.mean(axis=0)
    return [
        Score(float(mean), float(under), float(over), len(columns))
        for mean, under, over in zip(means, low, high, strict=True)
    ]


def interval(per_image: np.ndarray, groups: np.ndarray | None = None, seed: int = 0) -> Score:
    """Mean and 95% interval of per-image values."""
    return intervals(per_image[:, None], groups, seed)[0]


def difference(
    one: np.ndarray, other: np.ndarray, groups: np.ndarray | None = None, seed: int = 0
) -> Difference:
    """Whether ``one`` is better than ``other`` on the same images, beyond chance."""
    gain = one - other
    found = interval(gain, groups, seed)
    sums = group_sums(gain[:, None], groups)[0][:, 0]
    return Difference(found.mean, found.low, found.high, sign_flip_p_value(sums, seed))


def group_sums(columns: np.ndarray, groups: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the columns in each group, ``(G, C)``, and images in each group, ``(G,)``."""
    if groups is None:
        return columns, np.ones(len(columns))
    _, number, counts = np.unique(groups, return_inverse=True, return_counts=True)
    sums = [np.bincount(number, column, len(counts)) for column in columns.T]
    return np.stack(sums, axis=1), counts.astype(float)


def draws(counts: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """How often each group is drawn in each resample, ``(R, G)`` in blocks."""
    random = np.random.default_rng(seed)
    size = len(counts)
    for rows in resample_blocks(size):
        drawn = random.integers(0, size, (rows, size), dtype=np.int32)
        yield np.stack([np.bincount(one, minlength=size) for one in drawn]).astype(float)


def sign_flip_p_value(sums: np.ndarray, seed: int = 0) -> float:
    """How often flipping the signs of groups gives a sum as far from zero as the real one."""
    random = np.random.default_rng(seed)
    as_far = 0
    for rows in resample_blocks(len(sums)):
        signs = random.integers(0, 2, (rows, len(sums)), dtype=np.int8) * 2.0 - 1.0
        as_far += int(np.sum(np.abs(signs @ sums) >= abs(sums.sum()) * (1 - 1e-12)))
    return (as_far + 1) / (RESAMPLES + 1)


def resample_blocks(size: int) -> Iterator[int]:
    """Resamples that are drawn together, ``RESAMPLES`` in all."""
    at_once = max(1, DRAWS_AT_ONCE // max(size, 1))
    for start in range(0, RESAMPLES, at_once):
        yield min(at_once, RESAMPLES - start)

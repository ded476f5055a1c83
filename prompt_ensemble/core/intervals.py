"""How sure a mean is: intervals and p-values that resample groups of prompts, not images.

Images of one prompt, or of nearly the same prompts, rise and fall together. Resampling images
would count them as independent and make every interval too narrow; so whole groups are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from prompt_ensemble.core.score import RESAMPLES, Score

MOST_DRAWS = 100_000_000
"""Numbers drawn in all, 400 MB; of very many groups fewer resamples are as sure."""
FEWEST_RESAMPLES = 200


@dataclass(frozen=True)
class Difference:
    """Mean of one thing minus another over the same images, its 95% interval and p-value."""

    mean: float
    low: float
    high: float
    p_value: float
    """Two-sided: twice the share of resamples on the other side of zero."""

    @property
    def beyond_noise(self) -> bool:
        """Whether the first is better and the interval leaves no doubt of it."""
        return self.low > 0

    def __str__(self) -> str:
        return f"{self.mean:+.4f} (95% {self.low:+.4f} to {self.high:+.4f}, p = {self.p_value:.2g})"


@dataclass(frozen=True, eq=False)
class Resampling:
    """The draws that all intervals over the same images share."""

    groups: np.ndarray
    """``(N,)`` group of each image; the same numbers rise and fall together."""
    seed: int = 0

    @classmethod
    def of_images(cls, count: int, seed: int = 0) -> Resampling:
        """Every image a group of its own."""
        return cls(np.arange(count), seed)

    @cached_property
    def numbered(self) -> tuple[np.ndarray, np.ndarray]:
        """Groups as numbers from 0, ``(N,)``, and images in each, ``(G,)``."""
        _, number, counts = np.unique(self.groups, return_inverse=True, return_counts=True)
        return number, counts.astype(np.float32)

    @cached_property
    def draws(self) -> np.ndarray:
        """How often each group is drawn in each resample, ``(R, G)`` float32."""
        size = len(self.numbered[1])
        random = np.random.default_rng(self.seed)
        resamples = max(FEWEST_RESAMPLES, min(RESAMPLES, MOST_DRAWS // max(size, 1)))
        drawn = np.empty((resamples, size), np.float32)
        for row in drawn:
            row[:] = np.bincount(random.integers(0, size, size, dtype=np.int32), minlength=size)
        return drawn

    def means(self, columns: np.ndarray) -> np.ndarray:
        """Mean of each ``(N, C)`` column in each resample, ``(R, C)``."""
        number, counts = self.numbered
        centre = columns.mean(axis=0)
        sums = [np.bincount(number, column, len(counts)) for column in (columns - centre).T]
        offsets = self.draws @ np.stack(sums, axis=1).astype(np.float32)
        means: np.ndarray = centre + offsets / (self.draws @ counts)[:, None]
        return means

    def intervals(self, columns: np.ndarray) -> list[Score]:
        """Mean and 95% interval of each column of ``(N, C)`` per-image values."""
        if len(self.numbered[1]) == 1:  # every draw is the same one
            return [Score(float(mean), None, None, len(columns)) for mean in columns.mean(axis=0)]
        low, high = np.quantile(self.means(columns), (0.025, 0.975), axis=0)
        return [
            Score(float(mean), float(under), float(over), len(columns))
            for mean, under, over in zip(columns.mean(axis=0), low, high, strict=True)
        ]

    def interval(self, per_image: np.ndarray) -> Score:
        """Mean and 95% interval of per-image values."""
        return self.intervals(per_image[:, None])[0]

    def difference(self, one: np.ndarray, other: np.ndarray) -> Difference:
        """Whether ``one`` is better than ``other`` on the same images, beyond chance."""
        gain = one - other
        means = self.means(gain[:, None])[:, 0]
        low, high = np.quantile(means, (0.025, 0.975))
        beyond = min(np.sum(means <= 0), np.sum(means >= 0))
        p_value = min(1.0, 2 * (int(beyond) + 1) / (len(means) + 1))
        return Difference(float(gain.mean()), float(low), float(high), p_value)

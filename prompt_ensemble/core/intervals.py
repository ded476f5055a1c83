"""How sure a mean is: intervals and p-values that resample groups of prompts, not images.

Images of one prompt, or of nearly the same prompts, rise and fall together. Resampling images
would count them as independent and make every interval too narrow; so whole groups are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

RESAMPLES = 2000
MOST_DRAWS = 100_000_000
"""Numbers drawn in all, 400 MB; of very many groups fewer resamples are as sure."""
_FEWEST_RESAMPLES = 200
ENDS = (0.025, 0.975)
"""Quantiles of the resampled means between which a 95% interval lies."""


@dataclass(frozen=True)
class Score:
    """A mean over images with its 95% bootstrap interval, if there is more than one to draw."""

    mean: float
    low: float | None
    high: float | None
    images: int

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            images = "1 image" if self.images == 1 else f"{self.images} images of one prompt"
            return f"{self.mean:.4f} ({images}, too few for an interval)"
        return f"{self.mean:.4f} (95% {self.low:.4f} to {self.high:.4f}, {self.images} images)"


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
    """``(N,)`` group of each image; images of a group are drawn together."""
    seed: int = 0
    strata: np.ndarray | None = None
    """``(N,)`` stratum of each image; as many groups are drawn from each as it has."""

    @classmethod
    def of_images(cls, count: int, seed: int = 0) -> Resampling:
        """Every image a group of its own."""
        return cls(np.arange(count), seed)

    @cached_property
    def group_count(self) -> int:
        """How many groups there are to draw from."""
        return len(self._group_sizes)

    @cached_property
    def draws(self) -> np.ndarray:
        """How often each group is drawn in each resample, ``(R, G)`` float32."""
        random = np.random.default_rng(self.seed)
        resamples = max(_FEWEST_RESAMPLES, min(RESAMPLES, MOST_DRAWS // max(self.group_count, 1)))
        drawn = np.empty((resamples, self.group_count), np.float32)
        strata = self._groups_of_strata()
        for row in drawn:
            for groups in strata:
                size = len(groups)
                chosen = random.integers(0, size, size, dtype=np.int32)
                row[groups] = np.bincount(chosen, minlength=size)
        return drawn

    def means(self, columns: np.ndarray) -> np.ndarray:
        """Mean of each ``(N, C)`` column in each resample, ``(R, C)``."""
        centre = columns.mean(axis=0)
        sums = [
            np.bincount(self._group_numbers, column, self.group_count)
            for column in (columns - centre).T
        ]
        offsets = self.draws @ np.stack(sums, axis=1).astype(np.float32)
        means: np.ndarray = centre + offsets / (self.draws @ self._group_sizes)[:, None]
        return means

    def intervals(self, columns: np.ndarray) -> list[Score]:
        """Mean and 95% interval of each column of ``(N, C)`` per-image values."""
        if self.group_count == 1:  # every draw is the same one
            return [Score(float(mean), None, None, len(columns)) for mean in columns.mean(axis=0)]
        lows, highs = np.quantile(self.means(columns), ENDS, axis=0)
        return [
            Score(float(mean), float(low), float(high), len(columns))
            for mean, low, high in zip(columns.mean(axis=0), lows, highs, strict=True)
        ]

    def interval(self, per_image: np.ndarray) -> Score:
        """Mean and 95% interval of per-image values."""
        return self.intervals(per_image[:, None])[0]

    def difference(self, first: np.ndarray, second: np.ndarray) -> Difference:
        """Whether ``first`` is better than ``second`` on the same images, beyond chance."""
        gain = first - second
        means = self.means(gain[:, None])[:, 0]
        low, high = np.quantile(means, ENDS)
        beyond = min(np.sum(means <= 0), np.sum(means >= 0))
        p_value = min(1.0, 2 * (int(beyond) + 1) / (len(means) + 1))
        return Difference(float(gain.mean()), float(low), float(high), p_value)

    @cached_property
    def _group_numbers(self) -> np.ndarray:
        """Group of each image as a number from 0, ``(N,)``."""
        return np.unique(self.groups, return_inverse=True)[1]

    @cached_property
    def _group_sizes(self) -> np.ndarray:
        """Images in each group, ``(G,)`` float32."""
        return np.bincount(self._group_numbers).astype(np.float32)

    def _groups_of_strata(self) -> list[np.ndarray]:
        """Numbers of the groups in each stratum; all groups are one stratum if none are given."""
        if self.strata is None:
            return [np.arange(self.group_count)]
        _, first = np.unique(self._group_numbers, return_index=True)
        stratum = self.strata[first]
        return [np.flatnonzero(stratum == label) for label in np.unique(stratum)]


def mean_of_strata(strata: Sequence[np.ndarray], seed: int = 0) -> Score:
    """Mean of the strata's means and its 95% interval; rows are resampled within each stratum."""
    sizes = np.array([len(rows) for rows in strata])
    labels = np.repeat(np.arange(len(strata)), sizes)
    # Scaled so that the plain mean of all rows is the mean of the strata's means.
    scaled = np.concatenate(strata) * (sizes.mean() / sizes)[labels]
    return Resampling(np.arange(len(scaled)), seed, labels).interval(scaled)

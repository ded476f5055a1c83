"""Means and differences over images and seeds, with intervals that hold for both.

Captions of one training are one draw of what its design makes. In each resample groups of images
are drawn, the same for all, and seeds, for each contender its own. A mean of few seeds drawn with
replacement varies less than it should, by (S - 1) / S in variance; it is stretched by as much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prompt_ensemble.core.intervals import ENDS, Difference, Resampling, Score

FEWEST_GROUPS = 10
"""Of fewer groups no interval is stated: drawn again and again, a few say more than they know."""


@dataclass(frozen=True)
class Summary:
    """A measure of a contender."""

    score: Score
    """The mean over images and runs."""
    runs: tuple[float, ...]
    """The mean of each run."""

    @property
    def between_seeds(self) -> float | None:
        """Standard deviation of the runs' means; None of a single run."""
        return float(np.std(self.runs, ddof=1)) if len(self.runs) > 1 else None


def summarise(columns: np.ndarray, resampling: Resampling, seed: int = 0) -> Summary:
    """The summary of ``(N, S)`` values, a column for each run."""
    runs = tuple(map(float, columns.mean(axis=0)))
    mean, images = float(np.mean(runs)), len(columns)
    if resampling.group_count < FEWEST_GROUPS:
        return Summary(Score(mean, None, None, images), runs)
    drawn = draw_seeds(resampling.means(columns), np.random.default_rng(seed))
    # A mean lies among its values, and no stretching may lead it out, as below a share of 0.
    low, high = np.clip(np.quantile(drawn, ENDS), columns.min(), columns.max())
    return Summary(Score(mean, float(low), float(high), images), runs)


def difference(
    first: np.ndarray, second: np.ndarray, resampling: Resampling, seed: int = 0
) -> Difference | None:
    """``first`` less ``second``, each ``(N, S)``; None of too few groups."""
    if resampling.group_count < FEWEST_GROUPS:
        return None
    random = np.random.default_rng(seed)
    means = resampling.means(np.concatenate([first, second], axis=1))
    gains = draw_seeds(means[:, : first.shape[1]], random) - draw_seeds(
        means[:, first.shape[1] :], random
    )
    low, high = np.quantile(gains, ENDS)
    beyond = min(np.sum(gains <= 0), np.sum(gains >= 0))
    p_value = min(1.0, 2 * (int(beyond) + 1) / (len(gains) + 1))
    return Difference(float(first.mean() - second.mean()), float(low), float(high), p_value)


def draw_seeds(means: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The mean of seeds drawn anew in each resample, from ``(R, S)`` means of runs: ``(R,)``."""
    seeds = means.shape[1]
    centre: np.ndarray = means.mean(axis=1)
    if seeds == 1:
        return centre
    chosen = random.integers(0, seeds, means.shape)
    drawn = np.take_along_axis(means, chosen, axis=1).mean(axis=1)
    stretched: np.ndarray = centre + np.sqrt(seeds / (seeds - 1)) * (drawn - centre)
    return stretched

"""Prompts without their duplicates: of those that are near to each other the first is kept.

A prompt is dropped if an earlier *kept* one is at least as near as the threshold, so everything
that is kept is mutually dissimilar, and whatever is dropped has its like among what is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.data.approximate_index import ApproximateIndex
from prompt_ensemble.data.normalising import first_of_each

QUERIES_PER_BLOCK = 2048
TEXTS_PER_STEP = 16_384
"""Texts embedded at once; together with the kept vectors all that lies in memory."""
_DEFAULT_THRESHOLD = 0.8


class Index(Protocol):
    """What the kept vectors are searched in."""

    def add(self, vectors: np.ndarray) -> None:
        """Append unit rows."""

    def nearest(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Highest cosine of each query and the place of the vector that has it."""


@dataclass(frozen=True, eq=False)
class _Deduplication:
    """Which prompts are kept, and for each prompt the kept one that it is near to."""

    stands_for: np.ndarray
    """``(N,)`` int64 places: its own for a kept prompt."""
    exact: int
    """Prompts dropped because a normalised earlier one is the same."""

    @property
    def kept(self) -> np.ndarray:
        """Places of the kept prompts, ascending."""
        return np.flatnonzero(self.stands_for == np.arange(len(self.stands_for)))

    @property
    def near(self) -> int:
        """Prompts dropped because an earlier one is near."""
        return len(self.stands_for) - len(self.kept) - self.exact


def deduplicate(
    prompts: Sequence[str],
    encode: Callable[[Sequence[str]], np.ndarray],
    threshold: float = _DEFAULT_THRESHOLD,
    *,
    index: Index | None = None,
    progress: Progress = silent,
) -> _Deduplication:
    """Drop exact duplicates, then those with a kept prompt at ``threshold`` cosine or above."""
    _check_threshold(threshold)
    first = np.array(first_of_each(prompts), np.int64)
    distinct = np.flatnonzero(first == np.arange(len(prompts)))
    index = ApproximateIndex() if index is None else index
    with progress("near duplicates", len(distinct), "prompt") as advance:
        vectors = encoded([prompts[place] for place in distinct.tolist()], encode)
        near = near_duplicates(vectors, threshold, index, advance)
    stands_for = np.empty(len(prompts), np.int64)
    stands_for[distinct] = distinct[near]
    return _Deduplication(stands_for[first], len(prompts) - len(distinct))


def _check_threshold(threshold: float) -> None:
    """A cosine below which prompts are different."""
    if not 0 < threshold <= 1:
        raise BadConfig(f"threshold is {threshold}; expected a cosine above 0, at most 1, as 0.8")


def encoded(
    texts: Sequence[str], encode: Callable[[Sequence[str]], np.ndarray]
) -> Iterator[np.ndarray]:
    """Vectors of the texts, some thousand at a time."""
    for start in range(0, len(texts), TEXTS_PER_STEP):
        yield encode(texts[start : start + TEXTS_PER_STEP])


def near_duplicates(
    steps: Iterable[np.ndarray],
    threshold: float,
    index: Index,
    advance: Callable[[int], object] = lambda rows: None,
) -> np.ndarray:
    """For each unit row of all steps the place of the kept row it is near to, ``(N,)``."""
    standing: list[np.ndarray] = []
    kept: list[np.ndarray] = []
    done = count = 0
    for block in blocks(steps):
        cosines, number = index.nearest(block)
        fresh = np.flatnonzero(cosines < threshold)
        first = _first_of_near(block[fresh], threshold)
        new = first == np.arange(len(fresh))
        number[fresh] = count + (np.cumsum(new) - 1)[first]
        index.add(block[fresh[new]])
        standing.append(number)
        kept.append(done + fresh[new])
        done += len(block)
        count += int(new.sum())
        advance(len(block))
    if not done:
        return np.empty(0, np.int64)
    stands_for: np.ndarray = np.concatenate(kept)[np.concatenate(standing)]
    return stands_for


def blocks(steps: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The rows of all steps, a block's worth at a time."""
    for step in steps:
        for start in range(0, len(step), QUERIES_PER_BLOCK):
            yield step[start : start + QUERIES_PER_BLOCK]


def _first_of_near(vectors: np.ndarray, threshold: float) -> np.ndarray:
    """Within one block: for each row the first kept row near to it, or itself, ``(B,)``."""
    near = np.triu(vectors @ vectors.T >= threshold, 1)
    stands_for = np.arange(len(vectors))
    for row in np.flatnonzero(near.any(axis=1)):
        if stands_for[row] == row:
            later = np.flatnonzero(near[row])
            still_kept = later[stands_for[later] == later]
            stands_for[still_kept] = row
    return stands_for

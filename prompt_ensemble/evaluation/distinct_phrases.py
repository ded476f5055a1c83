"""How varied texts are: the share of their phrases that are distinct, over all images together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from prompt_ensemble.core.intervals import ENDS, Resampling, Score

_PHRASES_AT_ONCE = 4096


def distinct_share(texts: Sequence[Sequence[str]], length: int, resampling: Resampling) -> Score:
    """Distinct phrases of ``length`` words by all such phrases; 0 where there is none.

    An image that is drawn twice says nothing new the second time, so every resample is less varied
    than the texts themselves. Its spread is right: the interval lies around the true share.
    """
    phrases = [list(_phrases(words, length)) for words in texts]
    spoken = np.array([len(some) for some in phrases], np.float64)
    groups = np.unique(resampling.groups, return_inverse=True)[1]
    numbers, owners = _distinct_by_group(phrases, groups)
    distinct = len(np.unique(numbers))
    share = distinct / max(spoken.sum(), 1)
    if resampling.group_count == 1:
        return Score(float(share), None, None, len(texts))
    said_by_group = np.bincount(groups, spoken).astype(np.float32)
    said = np.maximum(resampling.draws @ said_by_group, 1)
    shares = _distinct_in_resamples(numbers, owners, resampling.draws) / said
    low, high = np.clip(share + np.quantile(shares, ENDS) - shares.mean(), 0, 1)
    return Score(float(share), float(low), float(high), len(texts))


def _phrases(words: Sequence[str], length: int) -> Iterator[tuple[str, ...]]:
    for start in range(len(words) - length + 1):
        yield tuple(words[start : start + length])


def _distinct_by_group(
    phrases: Sequence[Sequence[tuple[str, ...]]], groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Every phrase of every group once: numbers of the phrases, and of the groups."""
    number: dict[tuple[str, ...], int] = {}
    pairs = {
        (number.setdefault(phrase, len(number)), int(group))
        for some, group in zip(phrases, groups, strict=True)
        for phrase in some
    }
    numbers, owners = np.array(sorted(pairs), np.int64).reshape(-1, 2).T
    return numbers, owners


def _distinct_in_resamples(
    numbers: np.ndarray, owners: np.ndarray, draws: np.ndarray
) -> np.ndarray:
    """How many phrases the groups drawn in each resample have between them, ``(R,)``."""
    from scipy.sparse import csr_array

    drawn = (draws > 0).astype(np.float32).T
    count = int(numbers.max(initial=-1)) + 1
    ones = np.ones(len(numbers), np.float32)
    presence = csr_array((ones, (numbers, owners)), shape=(count, len(drawn)))
    total = np.zeros(drawn.shape[1])
    for start in range(0, count, _PHRASES_AT_ONCE):
        said = presence[start : start + _PHRASES_AT_ONCE] @ drawn
        total += (said > 0).sum(axis=0)
    return total

"""How new written prompts are, and how varied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prompt_ensemble.core.text_faults import words
from prompt_ensemble.data.approximate_index import ApproximateIndex

_PAIRS = 100_000


@dataclass(frozen=True)
class Variety:
    """Cosines are of embeddings."""

    mean_cosine: float
    """Of two prompts drawn at random; 1 where all are the same."""
    distinct_1: float
    """Distinct words by all words."""
    distinct_2: float
    words: float
    """Mean length."""
    nearest_known: float | None = None
    """Mean cosine with the nearest known prompt."""
    nearest_known_95: float | None = None
    """What 95% stay below."""


def variety_of(
    prompts: Sequence[str], vectors: np.ndarray, known: np.ndarray | None = None, seed: int = 0
) -> Variety:
    """Of prompts with these unit rows; ``known`` are unit rows of known prompts."""
    said = [words(prompt) for prompt in prompts]
    nearest = None
    if known is not None and len(vectors):
        index = ApproximateIndex()
        index.add(known)
        nearest, _ = index.nearest(vectors)
    return Variety(
        mean_cosine=_mean_cosine(vectors, seed),
        distinct_1=_distinct(said, 1),
        distinct_2=_distinct(said, 2),
        words=float(np.mean([len(part) for part in said])) if said else 0.0,
        nearest_known=None if nearest is None else float(nearest.mean()),
        nearest_known_95=None if nearest is None else float(np.quantile(nearest, 0.95)),
    )


def _mean_cosine(vectors: np.ndarray, seed: int) -> float:
    """Over pairs of different prompts, some of them if there are many."""
    count = len(vectors)
    if count < 2:
        return 1.0
    if count * (count - 1) // 2 <= _PAIRS:
        one, other = np.triu_indices(count, 1)
    else:
        random = np.random.default_rng(seed)
        one = random.integers(0, count, _PAIRS)
        other = (one + random.integers(1, count, _PAIRS)) % count
    return float(np.einsum("ij,ij->i", vectors[one], vectors[other]).mean())


def _distinct(said: Sequence[Sequence[str]], length: int) -> float:
    phrases = [
        tuple(part[start : start + length])
        for part in said
        for start in range(len(part) - length + 1)
    ]
    return len(set(phrases)) / max(1, len(phrases))

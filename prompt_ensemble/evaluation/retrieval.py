"""Retrieval measures: the rank of the true prompt among all prompts, nearest first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_QUERIES_AT_ONCE = 1024
_MOST_QUERIES = 20_000
"""Images ranked at most, evenly spread; they are ranked among all prompts."""


@dataclass(frozen=True)
class Retrieval:
    """Ranks of the true prompt among the distinct prompts; 1 is the best."""

    median_rank: float
    mean_rank: float
    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    prompts: int
    images: int


def true_prompt_ranks(predicted: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, int]:
    """Rank of each image's true prompt, ``(Q,)``, and the number of distinct prompts."""
    prompts = np.unique(truth, axis=0)
    chosen = np.arange(0, len(truth), -(-len(truth) // _MOST_QUERIES))
    cosines = np.einsum("ij,ij->i", predicted[chosen], truth[chosen])
    return ranks_among(predicted[chosen], cosines, prompts), len(prompts)


def ranks_among(predicted: np.ndarray, cosines: np.ndarray, prompts: np.ndarray) -> np.ndarray:
    """How many of ``(P, D)`` prompts are nearer than the cosine to the own one, and 1: ``(N,)``."""
    ranks = np.empty(len(predicted), np.int64)
    for start in range(0, len(predicted), _QUERIES_AT_ONCE):
        rows = slice(start, start + _QUERIES_AT_ONCE)
        # The product of the true prompt may differ from its cosine in the last bit.
        nearer = predicted[rows] @ prompts.T > cosines[rows, None] + 1e-6
        ranks[rows] = 1 + nearer.sum(axis=1)
    return ranks


def measure(predicted: np.ndarray, truth: np.ndarray) -> Retrieval:
    """All retrieval measures of unit rows in the same order."""
    ranks, prompts = true_prompt_ranks(predicted, truth)
    return Retrieval(
        median_rank=float(np.median(ranks)),
        mean_rank=float(ranks.mean()),
        recall_at_1=float(np.mean(ranks <= 1)),
        recall_at_5=float(np.mean(ranks <= 5)),
        recall_at_10=float(np.mean(ranks <= 10)),
        prompts=prompts,
        images=len(ranks),
    )

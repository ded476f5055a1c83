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
    ranks = np.empty(len(chosen), np.int64)
    for start in range(0, len(chosen), _QUERIES_AT_ONCE):
        rows = chosen[start : start + _QUERIES_AT_ONCE]
        cosines = np.einsum("ij,ij->i", predicted[rows], truth[rows])
        # The product of the true prompt may differ from its cosine in the last bit.
        nearer = predicted[rows] @ prompts.T > cosines[:, None] + 1e-6
        ranks[start : start + len(rows)] = 1 + nearer.sum(axis=1)
    return ranks, len(prompts)


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

"""Refusal to judge a model on prompts it has all but seen."""

from __future__ import annotations

import numpy as np

from prompt_ensemble.core.errors import BadConfig


def refuse_leaks(groups: np.ndarray, training: np.ndarray, validation: np.ndarray) -> None:
    """No group of near-duplicate prompts may lie in both; rows are given by number."""
    shared = np.intersect1d(groups[training], groups[validation])
    if len(shared):
        raise BadConfig(
            f"validation shares {len(shared)} groups of near-duplicate prompts with training, "
            f"first group {shared[0]}; scores would be too good; split by groups, or allow it "
            "knowingly (--allow-shared-prompts)"
        )

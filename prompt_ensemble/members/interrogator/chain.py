"""The greedy chain: to the prompt so far, again and again, the phrase that brings it nearest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from prompt_ensemble.core.outputs import Line
from prompt_ensemble.models.exact_ranking import exact_products
from prompt_ensemble.models.two_sided_towers.two_sided_tower import TwoSidedTower

_ROUNDING = 1e-6
"""Cosines this near are equal: a text's row moves by so much with the batch it is read in."""


@dataclass(frozen=True)
class ChainLimits:
    """How long a chain grows."""

    at_least: int = 8
    """Phrases added even where they lead away for a while."""
    at_most: int = 32


def grow_chain(
    image: torch.Tensor,
    phrases: Sequence[str],
    start: Line | None,
    limits: ChainLimits,
    tower: TwoSidedTower,
) -> Line:
    """The best prompt met on the way; ``image`` is one row, negated to lead away from it.

    Phrases are tried in their order, each once, and of equals the first wins, so the same input
    gives the same prompt.
    """
    left = list(dict.fromkeys(phrases))
    if start is None:
        start = _nearest(image, left, tower)
        left.remove(start.text)
    best = current = start
    for step in range(limits.at_most):
        if not left:
            break
        longer = [f"{current.text}, {phrase}" for phrase in left]
        nearest_longer = _nearest(image, longer, tower)
        best = max(best, nearest_longer, key=lambda line: line.score)  # of equals the earlier stays
        if nearest_longer.score <= current.score and step >= limits.at_least:
            break
        left.pop(longer.index(nearest_longer.text))
        current = nearest_longer
        if tower.is_full(current.text):
            break
    return best


def _nearest(image: torch.Tensor, texts: Sequence[str], tower: TwoSidedTower) -> Line:
    """The first of the texts that are nearest to the image, but for rounding."""
    cosines = exact_products(tower.encode_texts(texts), image)
    number = int((cosines >= cosines.max() - _ROUNDING).nonzero()[0])
    return Line("prompt", texts[number], float(cosines[number]))

"""Exact neighbours: products chunk by chunk through a mapped bank, the best kept on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.core.errors import MismatchedIds
from prompt_ensemble.members.neighbours.neighbour_bank import NeighbourBank
from prompt_ensemble.models.exact_ranking import best_of, top_phrases

ROWS_PER_PRODUCT = 65_536


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Of each query the nearest prompts, best first."""

    cosines: np.ndarray
    """``(Q, k)`` float32."""
    numbers: np.ndarray
    """``(Q, k)`` numbers of prompts in the bank."""


def search_exactly(
    bank: NeighbourBank,
    queries: np.ndarray,
    count: int,
    device: torch.device | str = "cpu",
) -> Neighbours:
    """The ``count`` prompts of highest cosine for each query; of equal ones the first wins."""
    check_width(bank, queries)
    where = torch.from_numpy(unit_rows(queries)).to(device)
    best: tuple[torch.Tensor, torch.Tensor] | None = None
    for shard, first in zip(bank.shards, bank.starts.tolist(), strict=True):
        for start in range(0, len(shard), ROWS_PER_PRODUCT):
            # A mapped file cannot be written to, which torch would complain of: hence the copy.
            keys = torch.from_numpy(np.array(shard.keys[start : start + ROWS_PER_PRODUCT]))
            found = top_phrases(where, keys.to(device).float(), count)
            best = merge(best, (found[0], found[1] + (first + start)), count)
    assert best is not None  # a bank has a shard, and a shard a row
    return Neighbours(best[0].float().cpu().numpy(), best[1].cpu().numpy())


def merge(
    best: tuple[torch.Tensor, torch.Tensor] | None,
    found: tuple[torch.Tensor, torch.Tensor],
    count: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The best of what was found so far and now; the earlier comes first on a tie."""
    if best is None:
        return found
    cosines = torch.cat([best[0], found[0]], dim=1)
    numbers = torch.cat([best[1], found[1]], dim=1)
    cosines, places = best_of(cosines, min(count, cosines.shape[1]))
    return cosines, numbers.gather(1, places)


def check_width(bank: NeighbourBank, queries: np.ndarray) -> None:
    """Queries must lie in the bank's space, or at least be as wide."""
    if queries.ndim != 2 or queries.shape[1] != bank.width:
        raise MismatchedIds(
            f"{bank.folder} is searched with vectors of {bank.width} numbers, not with "
            f"{queries.shape}; use the tower it was built with"
        )

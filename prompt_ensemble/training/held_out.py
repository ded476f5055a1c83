"""Which pairs a regressor is judged on, and that training has not all but seen them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prompt_ensemble.core.errors import BadConfig, nearest_name
from prompt_ensemble.data.groups import connected_groups, merge
from prompt_ensemble.data.pairs import Pairs
from prompt_ensemble.data.splits import hold_out


@dataclass(frozen=True)
class HeldOut:
    """Which pairs are kept for judging: whole sources, else a share of groups; 0 is none."""

    sources: tuple[str, ...] = ()
    share: float = 0.1
    allow_shared_prompts: bool = False


def split_rows(
    pairs: Pairs, targets: np.ndarray, held_out: HeldOut
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows to judge on, which share no group of near-duplicates.

    Prompts of one image are of one group: a model that has seen the image knows it.
    With held-out sources, images elsewhere of the same groups are in neither.
    """
    rows = np.arange(len(pairs))
    if not held_out.sources and not held_out.share:
        return rows, rows[:0]
    groups = _joined_by_image(connected_groups(targets), pairs)
    if held_out.sources:
        known = sorted(set(pairs.sources.tolist()))
        for name in held_out.sources:
            if name not in known:
                raise BadConfig(f"no pairs are of source {name!r}; {nearest_name(name, known)}")
        judged = np.isin(pairs.sources, held_out.sources)
    else:
        judged = hold_out(groups, held_out.share)
    if held_out.allow_shared_prompts:
        return rows[~judged], rows[judged]
    training = rows[~judged & ~np.isin(groups, groups[judged])]
    if not len(training):
        raise BadConfig("held-out pairs share their prompts with all others; hold out fewer")
    refuse_leaks(groups, training, rows[judged])
    return training, rows[judged]


def _joined_by_image(groups: np.ndarray, pairs: Pairs) -> np.ndarray:
    """The groups after those of each image's prompts have become one."""
    first: dict[Path, int] = {}
    rows = [first.setdefault(pair.image, row) for row, pair in enumerate(pairs.rows)]
    return merge(groups, groups[rows], groups)


def refuse_leaks(groups: np.ndarray, training: np.ndarray, judged: np.ndarray) -> None:
    """Refuse a split with a group of near-duplicate prompts on both sides; rows are numbers."""
    shared = np.intersect1d(groups[training], groups[judged])
    if len(shared):
        raise BadConfig(
            f"validation shares {len(shared)} groups of near-duplicate prompts with training, "
            f"first group {shared[0]}; scores would be too good; split by groups, or allow it "
            "knowingly (--allow-shared-prompts)"
        )

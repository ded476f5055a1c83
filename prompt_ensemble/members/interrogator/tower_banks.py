"""A tower's phrase banks: from published files, from the cache, or embedded now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from prompt_ensemble.core.progress import Progress
from prompt_ensemble.data.phrase_bank import PhraseBank, open_bank
from prompt_ensemble.data.phrase_lists import PhraseList
from prompt_ensemble.members.interrogator.published_banks import published_path, read_published
from prompt_ensemble.members.interrogator.vocabulary import labels_of
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.two_sided_towers.tower_source import TowerSource
from prompt_ensemble.models.two_sided_towers.two_sided_tower import TwoSidedTower

if TYPE_CHECKING:
    from prompt_ensemble.members.interrogator.interrogator_options import InterrogatorOptions

TEXTS_PER_STEP = 512


def open_banks(
    tower: TwoSidedTower,
    source: TowerSource,
    lists: Mapping[str, PhraseList],
    options: InterrogatorOptions,
    progress: Progress,
) -> list[PhraseBank]:
    """A bank for each list, in their order."""
    digest = f"{source.text_digest()} fp16"
    banks = []
    for name, phrases in lists.items():
        bank = _published_bank(options, source.architecture, name) if options.published else None
        embed = partial(_embed_phrases, tower, name, progress)
        banks.append(bank or open_bank(phrases, digest, embed))
    return banks


def _embed_phrases(
    tower: TwoSidedTower, name: str, progress: Progress, phrases: Sequence[str]
) -> np.ndarray:
    """Float16 rows, ``(P, D)``, in large steps with progress; equal phrases are read once."""
    distinct = sorted(set(phrases), key=lambda phrase: (len(phrase), phrase))
    parts = []
    with progress(f"embedding {name}", len(distinct), "phrase") as advance:
        for start in range(0, len(distinct), TEXTS_PER_STEP):
            step = distinct[start : start + TEXTS_PER_STEP]
            parts.append(tower.encode_texts(step).half().cpu().numpy())
            advance(len(step))
    number = {phrase: at for at, phrase in enumerate(distinct)}
    rows: np.ndarray = np.concatenate(parts)[[number[phrase] for phrase in phrases]]
    return rows


def _published_bank(
    options: InterrogatorOptions, architecture: str, name: str
) -> PhraseBank | None:
    """The bank in clip-interrogator's own file, if that is of this list."""
    labels = labels_of(name, options.lists.get(name, ""))
    rows = read_published(published_path(Path(options.published), architecture, name), labels)
    if rows is None:
        return None
    kept = [number for number, label in enumerate(labels) if label]
    whole = len(kept) == len(labels)
    return PhraseBank(name, tuple(labels[n] for n in kept), rows if whole else rows[kept])


def row_type(placement: Placement, exact: bool) -> torch.dtype:
    """Half precision where the run has it, as the rows are stored in it; else float32."""
    return torch.float32 if exact else placement.dtype

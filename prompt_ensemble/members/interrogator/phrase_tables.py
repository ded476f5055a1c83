"""Phrase banks on the device, side by side in one matrix, so that several rank as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from prompt_ensemble.data.phrase_bank import PhraseBank
from prompt_ensemble.models.exact_ranking import top_phrases


@dataclass(frozen=True)
class Ranked:
    """A phrase near to an image, and the list it stands in."""

    text: str
    cosine: float
    source: str


@dataclass(frozen=True, eq=False)
class PhraseTable:
    """Phrases of one or several lists and their rows on the device, ``(P, D)``."""

    phrases: tuple[str, ...]
    sources: tuple[str, ...]
    rows: torch.Tensor

    def top(self, images: torch.Tensor, count: int) -> list[list[Ranked]]:
        """The nearest phrases of each image, best first."""
        if not self.phrases or not count:
            return [[] for _ in images]
        cosines, numbers = top_phrases(images, self.rows, count)
        return [
            [Ranked(self.phrases[at], cos, self.sources[at]) for cos, at in zip(*row, strict=True)]
            for row in zip(cosines.tolist(), numbers.tolist(), strict=True)
        ]

    def bottom(self, images: torch.Tensor, count: int) -> list[list[Ranked]]:
        """The farthest phrases of each image, farthest first."""
        return [
            [Ranked(one.text, -one.cosine, one.source) for one in row]
            for row in self.top(-images, count)
        ]


def stand(
    banks: Sequence[PhraseBank], device: torch.device, dtype: torch.dtype
) -> tuple[PhraseTable, Mapping[str, PhraseTable]]:
    """All banks as one table in their order, and each as a part of it that takes no memory more."""
    arrays = [torch.from_numpy(np.array(bank.vectors)) for bank in banks]
    rows = torch.cat([array.to(device, dtype) for array in arrays] or [torch.empty(0, 0)])
    phrases = tuple(phrase for bank in banks for phrase in bank.phrases)
    sources = tuple(bank.name for bank in banks for _ in bank.phrases)
    return PhraseTable(phrases, sources, rows), parts_of(banks, rows)


def parts_of(banks: Sequence[PhraseBank], rows: torch.Tensor) -> Mapping[str, PhraseTable]:
    """Each bank's own rows within the matrix of all."""
    sizes = [len(bank.phrases) for bank in banks]
    return {
        bank.name: PhraseTable(bank.phrases, (bank.name,) * len(bank.phrases), own)
        for bank, own in zip(banks, rows.split(sizes) if banks else (), strict=True)
    }

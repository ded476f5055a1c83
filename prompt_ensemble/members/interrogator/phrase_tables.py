"""Phrase banks on the device, side by side in one matrix, so that several rank as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from prompt_ensemble.core.outputs import Line
from prompt_ensemble.data.phrase_bank import PhraseBank
from prompt_ensemble.models.exact_ranking import top_phrases


@dataclass(frozen=True, eq=False)
class PhraseTable:
    """Phrases of one or several lists and their rows on the device, ``(P, D)``."""

    phrases: tuple[str, ...]
    lists: tuple[str, ...]
    """The list that each phrase is from."""
    rows: torch.Tensor

    def top(self, images: torch.Tensor, count: int) -> list[list[Line]]:
        """The nearest phrases of each image, best first; a line's kind is the phrase's list."""
        if not self.phrases or not count:
            return [[] for _ in images]
        cosines, numbers = top_phrases(images, self.rows, count)
        return [
            [Line(self.lists[at], self.phrases[at], cos) for cos, at in zip(*row, strict=True)]
            for row in zip(cosines.tolist(), numbers.tolist(), strict=True)
        ]

    def bottom(self, images: torch.Tensor, count: int) -> list[list[Line]]:
        """The farthest phrases of each image, farthest first."""
        return [
            [replace(line, score=-line.score) for line in row] for row in self.top(-images, count)
        ]


def stack_banks(
    banks: Sequence[PhraseBank], device: torch.device, dtype: torch.dtype
) -> tuple[PhraseTable, Mapping[str, PhraseTable]]:
    """One table of all banks in their order, and a table of each that shares its memory."""
    arrays = [torch.from_numpy(np.array(bank.vectors)) for bank in banks]
    rows = torch.cat([array.to(device, dtype) for array in arrays] or [torch.empty(0, 0)])
    phrases = tuple(phrase for bank in banks for phrase in bank.phrases)
    lists = tuple(bank.name for bank in banks for _ in bank.phrases)
    sizes = [len(bank.phrases) for bank in banks]
    views = rows.split(sizes) if banks else ()
    each = {
        bank.name: PhraseTable(bank.phrases, (bank.name,) * len(bank.phrases), view)
        for bank, view in zip(banks, views, strict=True)
    }
    return PhraseTable(phrases, lists, rows), each

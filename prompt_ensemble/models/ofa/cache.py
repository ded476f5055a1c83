"""What the decoder keeps between words: keys and values of the words so far, for all layers."""

from __future__ import annotations

import torch

from prompt_ensemble.models.ofa.attention import KeysValues


class WordCache:
    """Keys and values of up to ``capacity`` positions of each row, in one tensor.

    Positions come first and a row's numbers lie together, so following a beam is one copy of
    whole blocks for all layers at once.
    """

    def __init__(self, layers: int, capacity: int) -> None:
        self.layers = layers
        self.capacity = capacity
        self.length = 0
        self.kept: torch.Tensor | None = None
        """``(capacity, R, layers, 2, heads, size)``"""

    def extend(self, layer: int, new: KeysValues) -> KeysValues:
        """Remember one layer's keys and values of the positions from ``length`` on; all so far."""
        keys = new[0]
        rows, heads, count, size = keys.shape
        if self.kept is None:
            self.kept = keys.new_empty(self.capacity, rows, self.layers, 2, heads, size)
        end = self.length + count
        for part, fresh in enumerate(new):
            self.kept[self.length : end, :, layer, part] = fresh.permute(2, 0, 1, 3)
        known = self.kept[:end, :, layer].permute(2, 1, 3, 0, 4)
        return known[0], known[1]

    def advance(self, count: int) -> None:
        """All layers have seen ``count`` more positions."""
        self.length += count

    def reorder(self, rows: torch.Tensor) -> None:
        """Row ``i`` continues what was row ``rows[i]``; there may be more rows than before."""
        if self.kept is None:
            return
        moved = self.kept[: self.length].index_select(1, rows)
        if len(rows) != self.kept.shape[1]:
            self.kept = moved.new_empty(self.capacity, *moved.shape[1:])
        self.kept[: self.length] = moved

"""Where things are: OFA knows positions only as biases on attention, never as added vectors.

An absolute bias compares two learned position vectors and is shared by all layers of a stack. A
relative bias is looked up by "bucket", in a table that each layer has for itself.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from prompt_ensemble.models.ofa.attention import split_heads

LONGEST = 1024
"""Text positions that the buckets are stretched over, whatever the configuration says."""
_CODE_SLOTS_BEYOND = 768
"""Positions after an image code's grid; they all share one slot."""


def token_buckets(length: int, size: int) -> torch.Tensor:
    """Rows of the relative table for text, ``(length, length)``, query by key.

    Near distances have a row each, far ones share rows logarithmically. Always made on the CPU:
    the logarithm must round to the same integers everywhere.
    """
    middle = size // 2
    places = torch.arange(length)
    distance = places[:, None] - places[None, :]
    apart = distance.abs().clamp(min=1).float()
    stretch = torch.log(apart / middle) / math.log((LONGEST - 1) / middle) * (middle - 1)
    far = distance.sign() * (middle + torch.ceil(stretch).long())
    return distance.where(distance.abs() <= middle, far) + size - 1


def image_slots(height: int, width: int, side: int) -> torch.Tensor:
    """Position of each cell of a feature grid, row by row, ``(height · width,)``.

    Rows are ``side`` slots apart however wide the grid is; slot 0 begins an image code.
    """
    return (1 + torch.arange(height)[:, None] * side + torch.arange(width)).flatten()


def code_slots(length: int, grid: int, side: int) -> torch.Tensor:
    """Positions of an image code of a ``grid × grid`` picture: start, cells, whatever follows."""
    beyond = torch.full((_CODE_SLOTS_BEYOND,), LONGEST)
    return torch.cat([torch.zeros(1).long(), image_slots(grid, grid, side), beyond])[:length]


def image_buckets(slots: torch.Tensor, side: int) -> torch.Tensor:
    """Rows of the relative table for pictures, ``(n, n)``, query by key."""
    row, column = (slots - 1) // side, (slots - 1) % side
    span = 2 * side - 1
    down = row[:, None] - row[None, :] + side - 1
    right = column[:, None] - column[None, :] + side - 1
    starts, last = slots == 0, span * span + 2
    buckets = down * span + right
    buckets = buckets.masked_fill(starts[:, None], last - 2)
    buckets = buckets.masked_fill(starts[None, :], last - 1)
    return buckets.masked_fill(starts[:, None] & starts[None, :], last)


def absolute_bias(
    queries: torch.Tensor, keys: torch.Tensor, heads: int, factor: float
) -> torch.Tensor:
    """Projected position vectors ``(B, n, d)`` and ``(B, m, d)`` compared, ``(B, heads, n, m)``."""
    scale = (queries.shape[-1] // heads * factor) ** -0.5
    return split_heads(queries * scale, heads) @ split_heads(keys, heads).transpose(2, 3)


def token_tables(layers: int, size: int, heads: int) -> nn.ModuleList:
    """Relative tables for text, one per layer."""
    return nn.ModuleList(nn.Embedding(2 * size - 1, heads) for _ in range(layers))


def image_tables(layers: int, side: int, heads: int) -> nn.ModuleList:
    """Relative tables for pictures, one per layer."""
    return nn.ModuleList(nn.Embedding((2 * side - 1) ** 2 + 3, heads) for _ in range(layers))


def relative_bias(table: nn.Module, buckets: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """One layer's bias for ``(n, m)`` buckets, ``(heads, n, m)``."""
    return table.get_parameter("weight").to(dtype).t().contiguous()[:, buckets]

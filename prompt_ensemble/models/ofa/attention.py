"""Attention with a scalar per head, and biases that know positions."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

KeysValues = tuple[torch.Tensor, torch.Tensor]
_CONTENT_FACTOR = 2
"""Halves the content scores; fixed, unlike the factor for positions in the configuration."""


class Attention(nn.Module):
    """Multi-head attention whose heads are weighed by ``c_attn`` before they are mixed."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (width // heads * _CONTENT_FACTOR) ** -0.5
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)
        self.c_attn = nn.Parameter(torch.ones(heads))

    def keys_values(self, x: torch.Tensor) -> KeysValues:
        """What ``x (B, m, d)`` offers to be attended to, ``(B, heads, m, d / heads)`` each."""
        return split_heads(self.k_proj(x), self.heads), split_heads(self.v_proj(x), self.heads)

    def forward(self, x: torch.Tensor, memory: KeysValues, bias: torch.Tensor) -> torch.Tensor:
        """What ``x (B, n, d)`` finds there; ``bias`` is ``(1 or B, heads, n, m)``."""
        queries, (keys, values) = split_heads(self.q_proj(x), self.heads), memory
        found = scaled_dot_product_attention(
            queries, keys, values, attn_mask=bias.to(queries.dtype), scale=self.scale
        )
        weighed = found * self.c_attn.to(found.dtype).view(-1, 1, 1)
        mixed: torch.Tensor = self.out_proj(weighed.transpose(1, 2).flatten(2))
        return mixed


def split_heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    """``(B, n, d)`` to ``(B, heads, n, d / heads)``."""
    return x.view(*x.shape[:2], heads, -1).transpose(1, 2)


def working_dtype(x: torch.Tensor) -> torch.dtype:
    """The precision matrix products of ``x`` are computed in, autocast considered."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype

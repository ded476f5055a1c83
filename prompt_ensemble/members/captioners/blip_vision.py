"""BLIP's vision tower over transformers' modules, with fused attention.

transformers multiplies all 577 × 577 attention weights out in memory; fused, they never exist.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention


def encode_images(tower: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Normalised pixels to ``(B, M, D)`` states, as ``BlipVisionModel`` gives them."""
    states = tower.embeddings(pixels)
    for layer in tower.encoder.layers:
        states = states + _attend(layer.self_attn, layer.layer_norm1(states))
        states = states + layer.mlp(layer.layer_norm2(states))
    normalised: torch.Tensor = tower.post_layernorm(states)
    return normalised


def _attend(attention: Any, states: torch.Tensor) -> torch.Tensor:
    """Self-attention over the patches."""
    parts = attention.qkv(states).unflatten(-1, (3, attention.num_heads, -1))
    query, key, value = parts.permute(2, 0, 3, 1, 4)
    mixed = scaled_dot_product_attention(query, key, value)
    projected: torch.Tensor = attention.projection(mixed.transpose(1, 2).flatten(2))
    return projected

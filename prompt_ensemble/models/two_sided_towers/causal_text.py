"""CLIP's text transformer, run only where it matters.

Its tokens look back, never ahead, and a text is judged at its last token. So nothing behind that
token needs computing, and an opening that all texts of a batch share is computed once: candidates
for the end of a prompt cost their own few tokens, not the context's 77.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import linear, scaled_dot_product_attention

Past = list[tuple[torch.Tensor, torch.Tensor]]
TEXTS_AT_ONCE = 512


def is_causal(text: nn.Module) -> bool:
    """Whether a text tower of open_clip is the plain kind that this file can run."""
    blocks = list(getattr(getattr(text, "transformer", None), "resblocks", []))
    pool = getattr(text, "pool_type", None) or getattr(text, "text_pool_type", None)
    plain = all(
        isinstance(getattr(block, "attn", None), nn.MultiheadAttention)
        and not hasattr(block, "ln_1_kv")
        for block in blocks
    )
    looks_back = getattr(text, "attn_mask", None) is not None
    return bool(blocks) and plain and pool == "argmax" and looks_back and not has_class_token(text)


def has_class_token(text: nn.Module) -> bool:
    """CoCa's text tower ends with a token of its own."""
    return getattr(text, "cls_emb", None) is not None


def read_tokens(text: Any, tokens: torch.Tensor) -> torch.Tensor:
    """``(N, context)`` tokens to ``(N, D)`` features, not yet of length one."""
    ends = tokens.argmax(dim=1)  # the closing token is the highest of the vocabulary
    order = ends.argsort(stable=True)
    opening = shared_opening(tokens, ends)
    past = opening_states(text, tokens[:1, :opening])
    parts = [
        read_endings(text, tokens[rows], ends[rows], opening, past)
        for rows in order.split(TEXTS_AT_ONCE)
    ]
    back = torch.empty_like(order)
    back[order] = torch.arange(len(order), device=order.device)
    return torch.cat(parts)[back]


def shared_opening(tokens: torch.Tensor, ends: torch.Tensor) -> int:
    """How many tokens all texts have in common, at least one token being left to each."""
    same = (tokens == tokens[:1]).all(dim=0).int().cumprod(dim=0).sum()
    return min(int(same), int(ends.min()))


def opening_states(text: Any, tokens: torch.Tensor) -> Past:
    """Keys and values of the shared opening in every layer."""
    past: Past = []
    hidden = embed_tokens(text, tokens, 0)
    for block in text.transformer.resblocks:
        hidden, states = run_block(block, hidden, None)
        past.append(states)
    return past


def read_endings(
    text: Any, tokens: torch.Tensor, ends: torch.Tensor, opening: int, past: Past
) -> torch.Tensor:
    """Features of texts of about one length, from behind their opening."""
    hidden = embed_tokens(text, tokens[:, opening : int(ends.max()) + 1], opening)
    for block, states in zip(text.transformer.resblocks, past, strict=True):
        hidden, _ = run_block(block, hidden, states)
    last = hidden[torch.arange(len(hidden), device=hidden.device), ends - opening]
    return project(text, text.ln_final(last))


def embed_tokens(text: Any, tokens: torch.Tensor, start: int) -> torch.Tensor:
    """Tokens and their positions, ``(N, L, W)``."""
    positions = text.positional_embedding[start : start + tokens.shape[1]]
    hidden: torch.Tensor = text.token_embedding(tokens) + positions
    return hidden


def run_block(
    block: Any, hidden: torch.Tensor, past: tuple[torch.Tensor, torch.Tensor] | None
) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """One layer, and the keys and values it made."""
    attention = block.attn
    projected = linear(block.ln_1(hidden), attention.in_proj_weight, attention.in_proj_bias)
    query, key, value = (
        part.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
        for part in projected.chunk(3, dim=-1)
    )
    made = (key, value)
    if past is not None:
        key, value = (
            torch.cat([before.expand(len(now), -1, -1, -1), now], dim=2)
            for before, now in zip(past, made, strict=True)
        )
    visible = looking_back(query.shape[2], key.shape[2], query.device)
    mixed = scaled_dot_product_attention(query, key, value, attn_mask=visible)
    hidden = hidden + block.ls_1(attention.out_proj(mixed.transpose(1, 2).flatten(2)))
    return hidden + block.ls_2(block.mlp(block.ln_2(hidden))), made


def looking_back(queries: int, keys: int, device: torch.device) -> torch.Tensor:
    """Which keys each token may see: all before it and itself."""
    ahead = keys - queries
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(ahead)


def project(text: Any, last: torch.Tensor) -> torch.Tensor:
    """Into the space that is shared with pictures."""
    projection = text.text_projection
    if projection is None:
        return last
    moved: torch.Tensor = (
        projection(last) if isinstance(projection, nn.Linear) else last @ projection
    )
    return moved

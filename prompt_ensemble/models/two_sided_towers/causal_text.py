"""CLIP's text transformer, computed only where it matters.

Attention is causal and the text's row is taken at its last token. So nothing after that token
needs computing, and an opening that all texts of a batch share is computed once: a candidate for
the end of a prompt costs its few tokens instead of the context's 77.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import linear, scaled_dot_product_attention

_Past = list[tuple[torch.Tensor, torch.Tensor]]
TEXTS_AT_ONCE = 512
"""Texts that are encoded together."""


def is_causal(text: nn.Module) -> bool:
    """Whether a text encoder of open_clip is of the plain kind that this module computes."""
    blocks = list(getattr(getattr(text, "transformer", None), "resblocks", []))
    pool = getattr(text, "pool_type", None) or getattr(text, "text_pool_type", None)
    plain = all(
        isinstance(getattr(block, "attn", None), nn.MultiheadAttention)
        and not hasattr(block, "ln_1_kv")
        for block in blocks
    )
    masked = getattr(text, "attn_mask", None) is not None
    return bool(blocks) and plain and pool == "argmax" and masked and not _has_class_token(text)


def _has_class_token(text: nn.Module) -> bool:
    """Whether texts end with a learnt token, as in CoCa."""
    return getattr(text, "cls_emb", None) is not None


def encode_tokens(text: Any, tokens: torch.Tensor) -> torch.Tensor:
    """``(N, context)`` tokens to ``(N, D)`` features, not yet normalised to length one."""
    ends = tokens.argmax(dim=1)  # the closing token is the highest of the vocabulary
    order = ends.argsort(stable=True)
    opening = _shared_opening(tokens, ends)
    past = _opening_states(text, tokens[:1, :opening])
    parts = [
        _encode_endings(text, tokens[rows], ends[rows], opening, past)
        for rows in order.split(TEXTS_AT_ONCE)
    ]
    return torch.cat(parts)[order.argsort()]


def _shared_opening(tokens: torch.Tensor, ends: torch.Tensor) -> int:
    """How many first tokens all texts have in common, leaving each at least one more."""
    same = (tokens == tokens[:1]).all(dim=0).int().cumprod(dim=0).sum()
    return min(int(same), int(ends.min()))


def _opening_states(text: Any, tokens: torch.Tensor) -> _Past:
    """Every layer's keys and values of the shared opening."""
    past: _Past = []
    hidden = _embed_tokens(text, tokens, 0)
    for block in text.transformer.resblocks:
        hidden, states = _run_block(block, hidden, None)
        past.append(states)
    return past


def _encode_endings(
    text: Any, tokens: torch.Tensor, ends: torch.Tensor, opening: int, past: _Past
) -> torch.Tensor:
    """Features of texts of similar length, computed from the end of their opening."""
    hidden = _embed_tokens(text, tokens[:, opening : int(ends.max()) + 1], opening)
    for block, states in zip(text.transformer.resblocks, past, strict=True):
        hidden, _ = _run_block(block, hidden, states)
    last = hidden[torch.arange(len(hidden), device=hidden.device), ends - opening]
    return _project(text, text.ln_final(last))


def _embed_tokens(text: Any, tokens: torch.Tensor, start: int) -> torch.Tensor:
    """Embeddings of tokens and their positions, ``(N, L, W)``."""
    positions = text.positional_embedding[start : start + tokens.shape[1]]
    hidden: torch.Tensor = text.token_embedding(tokens) + positions
    return hidden


def _run_block(
    block: Any, hidden: torch.Tensor, past: tuple[torch.Tensor, torch.Tensor] | None
) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """One layer's output, and its keys and values of these tokens."""
    attention = block.attn
    projected = linear(block.ln_1(hidden), attention.in_proj_weight, attention.in_proj_bias)
    query, key, value = (
        part.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
        for part in projected.chunk(3, dim=-1)
    )
    states = (key, value)
    if past is not None:
        key, value = (
            torch.cat([before.expand(len(now), -1, -1, -1), now], dim=2)
            for before, now in zip(past, states, strict=True)
        )
    visible = _causal_mask(query.shape[2], key.shape[2], query.device)
    mixed = scaled_dot_product_attention(query, key, value, attn_mask=visible)
    hidden = hidden + block.ls_1(attention.out_proj(mixed.transpose(1, 2).flatten(2)))
    return hidden + block.ls_2(block.mlp(block.ln_2(hidden))), states


def _causal_mask(queries: int, keys: int, device: torch.device) -> torch.Tensor:
    """Which keys each token attends to: those before it and its own."""
    ahead = keys - queries
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(ahead)


def _project(text: Any, last: torch.Tensor) -> torch.Tensor:
    """Project into the space shared with images."""
    projection = text.text_projection
    if projection is None:
        return last
    rows: torch.Tensor = (
        projection(last) if isinstance(projection, nn.Linear) else last @ projection
    )
    return rows

"""Decoding with open_clip's CoCa, one token at a time, over its own modules.

open_clip runs both text towers over the whole text again for every token (and its ``generate``
encodes each image once per beam). Here the towers keep their keys and values, and the image's
exist once for all beams. Shapes as in ``bert_decoding``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import linear, scaled_dot_product_attention

from prompt_ensemble.models.text_generation.bert_decoding import (
    KeysValues,
    TextCache,
    fold_beams,
    heads,
    unfold_beams,
)


def project(attention: Any, states: torch.Tensor, *parts: int) -> tuple[torch.Tensor, ...]:
    """Queries (0), keys (1) or values (2) of a ``MultiheadAttention``, ``(N, H, L, D)`` each."""
    weights, biases = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
    return tuple(
        heads(linear(states, weights[part], biases[part]), attention.num_heads) for part in parts
    )


class CocaDecoding:
    """A batch of images being captioned."""

    def __init__(self, model: Any, image_tokens: torch.Tensor) -> None:
        self.model = model
        self.text_blocks = model.text.transformer.resblocks
        self.decoder = model.text_decoder
        self.images = len(image_tokens)
        self.memory = [_image_memory(block, image_tokens) for block in self.decoder.cross_attn]
        self.cache = TextCache(len(self.text_blocks) + len(self.decoder.resblocks))
        self.tokens: torch.Tensor | None = None

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """``(R, t)`` new tokens to ``(R, V)`` logits of the token that follows."""
        start = self.cache.length
        self.tokens = tokens if self.tokens is None else torch.cat([self.tokens, tokens], 1)
        text = self.model.text
        positions = text.positional_embedding[start : start + tokens.shape[1]]
        states = text.token_embedding(tokens) + positions
        before = self.causal(tokens.shape[1])
        mask = before & self.not_after_padding()
        for number, block in enumerate(self.text_blocks):
            states = self.text_block(number, block, states, mask)
        for number, block in enumerate(self.decoder.resblocks):
            states = self.text_block(len(self.text_blocks) + number, block, states, before)
            states = self.image_block(number, states)
        last = self.decoder.ln_final(states[:, -1])
        logits: torch.Tensor = last @ self.decoder.text_projection
        return logits

    def reorder(self, rows: torch.Tensor) -> None:
        """Continue from these rows; they stay within their image."""
        self.cache.reorder(rows)
        if self.tokens is not None:
            self.tokens = self.tokens[rows]

    def causal(self, new: int) -> torch.Tensor:
        """Which positions of the text the new ones come after, ``(1, 1, t, T)``."""
        assert self.tokens is not None
        seen = self.tokens.shape[1]
        return self.tokens.new_ones(1, 1, new, seen, dtype=torch.bool).tril(seen - new)

    def not_after_padding(self) -> torch.Tensor:
        """The mask CoCa was trained with, ``(R, 1, 1, T)``.

        It means to hide padding, but is one position off, so what it hides is the token after
        each "!" (whose id is also that of padding). The weights are used to it.
        """
        assert self.tokens is not None
        hidden = self.tokens[:, :-1] == self.model.text.pad_id
        first = hidden.new_zeros(len(hidden), 1)
        return ~torch.cat([first, hidden], 1)[:, None, None]

    def text_block(
        self, number: int, block: Any, states: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Attention to the text so far, feed-forward."""
        query, key, value = project(block.attn, block.ln_1(states), 0, 1, 2)
        keys, values = self.cache.append(number, (key, value))
        mixed = scaled_dot_product_attention(query, keys, values, attn_mask=mask)
        return finish(block, states, mixed)

    def image_block(self, number: int, states: torch.Tensor) -> torch.Tensor:
        """Attention to the image, feed-forward."""
        block = self.decoder.cross_attn[number]
        (query,) = project(block.attn, block.ln_1(states), 0)
        seen = scaled_dot_product_attention(fold_beams(query, self.images), *self.memory[number])
        return finish(block, states, unfold_beams(seen, states.shape[1]))


def _image_memory(block: Any, image_tokens: torch.Tensor) -> KeysValues:
    """An image block's keys and values, ``(B, H, M, D)`` each."""
    keys, values = project(block.attn, block.ln_1_kv(image_tokens), 1, 2)
    return keys, values


def finish(block: Any, states: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
    """The rest of a residual block, after its attention."""
    states = states + block.ls_1(block.attn.out_proj(attended.transpose(1, 2).flatten(2)))
    done: torch.Tensor = states + block.ls_2(block.mlp(block.ln_2(states)))
    return done

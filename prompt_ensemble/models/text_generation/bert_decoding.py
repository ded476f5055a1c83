"""Decoding with a BERT-style text decoder, one token at a time, over transformers' own modules.

``generate`` of transformers copies an image's memory once per beam, projects it to keys and values
once per beam (GIT even looks at the image once per beam) and copies it again at every step. Here
an image's keys and values exist once; its beams are further queries to them. Only the few text
positions are kept per beam and reordered.

Shapes: B images, K beams, R = B·K rows in image order, H heads, M image positions, T text
positions so far, t new ones, D numbers per head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

KeysValues = tuple[torch.Tensor, torch.Tensor]


def heads(states: torch.Tensor, count: int) -> torch.Tensor:
    """``(N, L, H·D)`` to ``(N, H, L, D)``."""
    split: torch.Tensor = states.unflatten(-1, (count, -1)).transpose(1, 2)
    return split


def project(attention: Any, states: torch.Tensor) -> KeysValues:
    """Keys and values of an attention module of transformers, ``(N, H, L, D)`` each."""
    count = attention.num_attention_heads
    return heads(attention.key(states), count), heads(attention.value(states), count)


def fold_beams(rows: torch.Tensor, images: int) -> torch.Tensor:
    """``(R, H, t, D)`` to ``(B, H, K·t, D)``: the beams of an image become queries side by side."""
    folded: torch.Tensor = rows.unflatten(0, (images, -1)).transpose(1, 2).flatten(2, 3)
    return folded


def unfold_beams(states: torch.Tensor, new: int) -> torch.Tensor:
    """Undoes ``fold_beams`` for ``new`` positions per beam."""
    rows: torch.Tensor = states.unflatten(2, (-1, new)).transpose(1, 2).flatten(0, 1)
    return rows


def causal(new: int, seen: int, device: torch.device) -> torch.Tensor | None:
    """Which of ``seen`` positions the last ``new`` may attend to; None where all may."""
    if new == 1:
        return None
    return torch.ones(new, seen, dtype=torch.bool, device=device).tril(seen - new)


class TextCache:
    """Keys and values of the text so far, one pair per layer, ``(R, H, T, D)``."""

    def __init__(self, layers: int) -> None:
        self.layers: list[KeysValues | None] = [None] * layers

    @property
    def length(self) -> int:
        """Text positions that are kept."""
        return 0 if self.layers[0] is None else self.layers[0][0].shape[2]

    def append(self, layer: int, new: KeysValues) -> KeysValues:
        """All keys and values of a layer, with the new ones at the end."""
        old = self.layers[layer]
        both = (
            new if old is None else tuple(torch.cat(pair, 2) for pair in zip(old, new, strict=True))
        )
        self.layers[layer] = (both[0], both[1])
        return both[0], both[1]

    def reorder(self, rows: torch.Tensor) -> None:
        """Continue from these rows, as a beam search asks after each step."""
        for number, pair in enumerate(self.layers):
            if pair is not None:
                self.layers[number] = (pair[0][rows], pair[1][rows])


class _BertDecoding:
    """A batch of images being captioned: what the search calls for one step after another."""

    def __init__(
        self,
        layers: Sequence[Any],
        embeddings: nn.Module,
        head: nn.Module,
        memory: Sequence[KeysValues],
    ) -> None:
        self.layers = layers
        self.embeddings = embeddings
        self.head = head
        self.memory = memory
        self.images = memory[0][0].shape[0]
        self.cache = TextCache(len(layers))

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """``(R, t)`` new tokens to ``(R, V)`` logits of the token that follows."""
        states = self.embeddings(input_ids=tokens, past_key_values_length=self.cache.length)
        for number, layer in enumerate(self.layers):
            states = self.layer_step(number, layer, states)
        logits: torch.Tensor = self.head(states[:, -1])
        return logits

    def reorder(self, rows: torch.Tensor) -> None:
        """Continue from these rows; they stay within their image."""
        self.cache.reorder(rows)

    def layer_step(self, number: int, layer: Any, states: torch.Tensor) -> torch.Tensor:
        """One layer on the new positions."""
        raise NotImplementedError


class CrossDecoding(_BertDecoding):
    """BLIP's way: attention to the text, then attention to the image."""

    def layer_step(self, number: int, layer: Any, states: torch.Tensor) -> torch.Tensor:
        """Self-attention, cross-attention, feed-forward."""
        own = layer.attention
        query = heads(own.self.query(states), own.self.num_attention_heads)
        keys, values = self.cache.append(number, project(own.self, states))
        mask = causal(query.shape[2], keys.shape[2], states.device)
        mixed = scaled_dot_product_attention(query, keys, values, attn_mask=mask)
        states = own.output(mixed.transpose(1, 2).flatten(2), states)
        states = layer.crossattention.output(
            self.seen(number, layer.crossattention.self, states), states
        )
        return layer.feed_forward_chunk(states)  # type: ignore[no-any-return]

    def seen(self, number: int, attention: Any, states: torch.Tensor) -> torch.Tensor:
        """What the new positions take from their image, ``(R, t, H·D)``."""
        query = heads(attention.query(states), attention.num_attention_heads)
        folded = fold_beams(query, self.images)
        seen = scaled_dot_product_attention(folded, *self.memory[number])
        return unfold_beams(seen, states.shape[1]).transpose(1, 2).flatten(2)


class PrefixDecoding(_BertDecoding):
    """GIT's way: the image comes before the text, and one attention goes to both."""

    def layer_step(self, number: int, layer: Any, states: torch.Tensor) -> torch.Tensor:
        """Attention over image and text together, feed-forward."""
        own = layer.attention
        query = heads(own.self.query(states), own.self.num_attention_heads)
        text = self.cache.append(number, project(own.self, states))
        mixed = self.over_image_and_text(query, self.memory[number], text)
        states = own.output(mixed.transpose(1, 2).flatten(2), states)
        return layer.feed_forward_chunk(states)  # type: ignore[no-any-return]

    def over_image_and_text(
        self, query: torch.Tensor, image: KeysValues, text: KeysValues
    ) -> torch.Tensor:
        """One softmax over the image's positions, kept once, and the row's own text."""
        new = query.shape[2]
        query = query * query.shape[-1] ** -0.5
        to_image = unfold_beams(fold_beams(query, self.images) @ image[0].mT, new)
        to_text = query @ text[0].mT
        mask = causal(new, text[0].shape[2], query.device)
        if mask is not None:
            to_text = to_text.masked_fill(~mask, -torch.inf)
        weights = torch.cat([to_image, to_text], -1).softmax(-1).to(text[1].dtype)
        for_image, for_text = weights.split([to_image.shape[-1], to_text.shape[-1]], -1)
        seen = unfold_beams(fold_beams(for_image, self.images) @ image[1], new)
        mixed: torch.Tensor = seen + for_text @ text[1]
        return mixed

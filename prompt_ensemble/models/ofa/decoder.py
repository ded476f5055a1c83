"""The decoder: words that look back at words and over at the encoder's memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import nn
from torch.nn.functional import linear

from prompt_ensemble.models.ofa.attention import KeysValues, working_dtype
from prompt_ensemble.models.ofa.cache import WordCache
from prompt_ensemble.models.ofa.config import OfaConfig
from prompt_ensemble.models.ofa.encoder import Memory
from prompt_ensemble.models.ofa.layer import DecoderLayer, norm_if
from prompt_ensemble.models.ofa.positions import (
    absolute_bias,
    code_slots,
    image_buckets,
    image_tables,
    relative_bias,
    token_buckets,
    token_tables,
)
from prompt_ensemble.models.text_generation.token_bans import NEVER

_CODE_PIXELS = 8
"""Pixels of a picture's side that one image code covers."""

_Biases = tuple[torch.Tensor, list[torch.Tensor]]
"""On the memory, and each layer's on the own positions."""


@dataclass(frozen=True)
class Reading:
    """What stays the same while a batch is being written, up to ``n`` positions."""

    memories: tuple[KeysValues, ...]
    """Each layer's keys and values of the memory, one per image."""
    memory_bias: torch.Tensor
    """``(1 or B, heads, n, S)``"""
    self_biases: tuple[torch.Tensor, ...]
    """Each layer's, future words masked, ``(1 or B, heads, n, n)``."""
    code_rows: torch.Tensor | None
    """Which rows write image codes rather than words, ``(B,)``; None where none does."""


class Decoder(nn.Module):
    """Embeddings and layers; the names of modules are the checkpoint's."""

    def __init__(self, config: OfaConfig, embed_tokens: nn.Embedding) -> None:
        super().__init__()
        width, heads, side = (
            config.d_model,
            config.decoder_attention_heads,
            config.image_bucket_size,
        )
        layers = config.decoder_layers
        self.config = config
        self.scale = math.sqrt(width) if config.scale_embedding else 1.0
        self.embed_tokens = embed_tokens
        self.layernorm_embedding = norm_if(config.layernorm_embedding, width)
        self.code_layernorm_embedding = norm_if(config.code_layernorm_embedding, width)
        self.embed_positions = nn.Embedding(config.max_position_embeddings + 2, width)
        self.embed_image_positions = nn.Embedding(side * side + 1, width)
        self.pos_ln, self.image_pos_ln = nn.LayerNorm(width), nn.LayerNorm(width)
        self.self_pos_q_linear = nn.Linear(width, width)
        self.self_pos_k_linear = nn.Linear(width, width)
        self.cross_pos_q_linear = nn.Linear(width, width)
        self.cross_pos_k_linear = nn.Linear(width, width)
        self.token_rel_pos_table_list = token_tables(layers, config.token_bucket_size, heads)
        self.image_rel_pos_table_list = image_tables(layers, side, heads)
        self.layers = nn.ModuleList(
            DecoderLayer(
                width,
                heads,
                config.decoder_ffn_dim,
                config.activation_function,
                config.decoder_normalize_before,
                config.normformer,
            )
            for _ in range(layers)
        )
        self.layer_norm = norm_if(config.decoder_normalize_before, width)
        if not config.share_decoder_input_output_embed:
            self.output_projection = nn.Linear(width, config.vocab_size, bias=False)

    def begin(
        self,
        memory: Memory,
        length: int,
        code_rows: torch.Tensor | None = None,
        padding: torch.Tensor | None = None,
    ) -> Reading:
        """Prepare to write up to ``length`` positions about a batch of images.

        ``padding (B, length)`` marks words that are not to be looked back at.
        """
        dtype = working_dtype(memory.positions)
        with torch.autocast(memory.positions.device.type, enabled=False):
            over, back = self.word_biases(memory.positions, length)
            if code_rows is not None:
                rows = code_rows[:, None, None, None]
                code_over, code_back = self.code_biases(memory.positions, length)
                over = torch.where(rows, code_over, over)
                back = [torch.where(rows, c, w) for c, w in zip(code_back, back, strict=True)]
        future = torch.ones(length, length, dtype=torch.bool, device=over.device).triu(1)
        if padding is not None:
            future = future | padding[:, None, None, :]
        if memory.padding is not None:
            over = over.masked_fill(memory.padding[:, None, None, :], NEVER)
        return Reading(
            tuple(layer.offer(memory.hidden) for layer in cast(list[DecoderLayer], self.layers)),
            over.to(dtype),
            tuple(bias.masked_fill(future, NEVER).to(dtype) for bias in back),
            code_rows,
        )

    def word_biases(self, memory: torch.Tensor, length: int) -> _Biases:
        """Positions of words."""
        positions = self.pos_ln(self.embed_positions.weight[:length])
        buckets = token_buckets(length, self.config.token_bucket_size).to(memory.device)
        return self.biases(positions, memory, buckets, self.token_rel_pos_table_list)

    def code_biases(self, memory: torch.Tensor, length: int) -> _Biases:
        """Positions of image codes."""
        side = self.config.image_bucket_size
        grid = self.config.code_image_size // _CODE_PIXELS
        slots = code_slots(length, grid, side).to(memory.device)
        positions = self.image_pos_ln(self.embed_image_positions(slots))
        tables = self.image_rel_pos_table_list
        return self.biases(positions, memory, image_buckets(slots, side), tables)

    def biases(
        self,
        positions: torch.Tensor,
        memory: torch.Tensor,
        buckets: torch.Tensor,
        tables: nn.ModuleList,
    ) -> _Biases:
        """From positions ``(n, d)``, the memory's ``(1, S, d)``, and buckets of the former."""
        heads, factor = self.config.decoder_attention_heads, self.config.attn_scale_factor
        own = positions.unsqueeze(0)
        over = absolute_bias(
            self.cross_pos_q_linear(own), self.cross_pos_k_linear(memory), heads, factor
        )
        back = absolute_bias(
            self.self_pos_q_linear(own), self.self_pos_k_linear(own), heads, factor
        )
        return over, [back + relative_bias(table, buckets, back.dtype) for table in tables]

    def forward(self, tokens: torch.Tensor, reading: Reading, cache: WordCache) -> torch.Tensor:
        """The next positions' ids ``(R, t)``, those before being in the cache; ``(R, t, d)``."""
        start, end = cache.length, cache.length + tokens.shape[1]
        x = self.embed(tokens, reading.code_rows)
        beams = len(tokens) // len(reading.memories[0][0])
        memory_bias = reading.memory_bias[:, :, start:end].repeat(1, 1, beams, 1)
        for number, layer in enumerate(self.layers):
            x = layer(
                x,
                partial(cache.extend, number),
                reading.self_biases[number][:, :, start:end, :end],
                reading.memories[number],
                memory_bias,
            )
        cache.advance(tokens.shape[1])
        return self.layer_norm(x)  # type: ignore[no-any-return]

    def embed(self, tokens: torch.Tensor, code_rows: torch.Tensor | None) -> torch.Tensor:
        """``(R, t, d)``; image codes have a norm of their own if the checkpoint has one."""
        x = self.embed_tokens(tokens) * self.scale
        words: torch.Tensor = self.layernorm_embedding(x)
        if code_rows is None or not self.config.code_layernorm_embedding:
            return words
        return torch.where(code_rows[:, None, None], self.code_layernorm_embedding(x), words)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """``(…, d)`` to ``(…, V)``."""
        if self.config.share_decoder_input_output_embed:
            return linear(hidden, self.embed_tokens.weight)
        projected: torch.Tensor = self.output_projection(hidden)
        return projected

"""The encoder: one sequence of picture cells and question words, cells first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import pad

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.models.ofa.attention import working_dtype
from prompt_ensemble.models.ofa.config import OfaConfig
from prompt_ensemble.models.ofa.layer import EncoderLayer, norm_if
from prompt_ensemble.models.ofa.positions import (
    absolute_bias,
    image_buckets,
    image_slots,
    image_tables,
    relative_bias,
    token_buckets,
    token_tables,
)
from prompt_ensemble.models.ofa.trunk import FEATURES, Trunk
from prompt_ensemble.models.text_generation.token_bans import NEVER

TEXT, PICTURE = 0, 1
"""Rows of the type embedding."""


@dataclass(frozen=True)
class Memory:
    """What the decoder reads."""

    hidden: torch.Tensor
    """``(B, S, d)``"""
    positions: torch.Tensor
    """Normalised position vectors, the same for every row, ``(1, S, d)`` float32."""
    padding: torch.Tensor | None
    """Where there is nothing to read, ``(B, S)``; None where no row is padded."""


class Encoder(nn.Module):
    """Trunk, embeddings and layers; the names of modules are the checkpoint's."""

    def __init__(self, config: OfaConfig) -> None:
        super().__init__()
        width, heads, side = (
            config.d_model,
            config.encoder_attention_heads,
            config.image_bucket_size,
        )
        self.config = config
        self.scale = math.sqrt(width) if config.scale_embedding else 1.0
        self.embed_tokens = nn.Embedding(config.vocab_size, width)
        self.type_embedding = nn.Embedding(2, width) if config.add_type_embedding else None
        self.layernorm_embedding = norm_if(config.layernorm_embedding, width)
        self.patch_layernorm_embedding = norm_if(config.patch_layernorm_embedding, width)
        self.embed_images = Trunk(config.resnet_type)
        self.image_proj = nn.Linear(FEATURES, width)
        self.embed_positions = nn.Embedding(config.max_position_embeddings + 2, width)
        self.embed_image_positions = nn.Embedding(side * side + 1, width)
        self.pos_ln, self.image_pos_ln = nn.LayerNorm(width), nn.LayerNorm(width)
        self.pos_q_linear, self.pos_k_linear = nn.Linear(width, width), nn.Linear(width, width)
        layers = config.encoder_layers
        self.token_rel_pos_table_list = token_tables(layers, config.token_bucket_size, heads)
        self.image_rel_pos_table_list = image_tables(layers, side, heads)
        self.layers = nn.ModuleList(
            EncoderLayer(
                width,
                heads,
                config.encoder_ffn_dim,
                config.activation_function,
                config.encoder_normalize_before,
                config.normformer,
            )
            for _ in range(layers)
        )
        self.layer_norm = norm_if(config.encoder_normalize_before, width)

    def forward(self, input_ids: torch.Tensor, features: torch.Tensor | None = None) -> Memory:
        """Question ids ``(B, T)`` and the trunk's features ``(B, 1024, h, w)``, if any."""
        slots = self.slots(features)
        x = self.embed_text(input_ids)
        padding = input_ids == self.config.pad_token_id
        x = x.masked_fill(padding.unsqueeze(-1), 0)
        if features is not None:
            x = torch.cat([self.embed_picture(features, slots), x], 1)
            padding = pad(padding, (len(slots), 0))
        some_padding = padding if bool(padding.any()) else None
        positions = self.positions(slots, input_ids.shape[1])
        biases = self.biases(positions, slots, some_padding)
        for layer, bias in zip(self.layers, biases, strict=True):
            x = layer(x, bias)
        return Memory(self.layer_norm(x), positions, some_padding)

    def slots(self, features: torch.Tensor | None) -> torch.Tensor:
        """Positions of the picture's cells."""
        device = self.embed_tokens.weight.device
        side = self.config.image_bucket_size
        if features is None:
            return torch.empty(0, dtype=torch.long, device=device)
        height, width = features.shape[-2:]
        if max(height, width) > side:
            raise BadConfig(
                f"OFA sees at most {16 * side} x {16 * side} pixels, this batch has features of "
                f"{height} x {width} cells of 16; prepare smaller pictures (480 is usual)"
            )
        return image_slots(height, width, side).to(device)

    def embed_text(self, input_ids: torch.Tensor) -> torch.Tensor:
        """``(B, T, d)``"""
        x = self.embed_tokens(input_ids) * self.scale
        if self.config.entangle_position_embedding:
            x = x + self.embed_positions.weight[: input_ids.shape[1]]
        if self.type_embedding is not None:
            x = x + self.type_embedding.weight[TEXT]
        return self.layernorm_embedding(x)  # type: ignore[no-any-return]

    def embed_picture(self, features: torch.Tensor, slots: torch.Tensor) -> torch.Tensor:
        """``(B, h·w, d)``"""
        x = self.image_proj(features.flatten(2).transpose(1, 2)) * self.scale
        if self.config.entangle_position_embedding:
            x = x + self.embed_image_positions(slots)
        if self.type_embedding is not None:
            x = x + self.type_embedding.weight[PICTURE]
        return self.patch_layernorm_embedding(x)  # type: ignore[no-any-return]

    def positions(self, slots: torch.Tensor, length: int) -> torch.Tensor:
        """Position vectors of cells and words, ``(1, S, d)``; words count from 0."""
        with torch.autocast(slots.device.type, enabled=False):
            cells = self.image_pos_ln(self.embed_image_positions(slots))
            words = self.pos_ln(self.embed_positions.weight[:length])
            return torch.cat([cells, words]).unsqueeze(0)

    def biases(
        self, positions: torch.Tensor, slots: torch.Tensor, padding: torch.Tensor | None
    ) -> Iterator[torch.Tensor]:
        """Each layer's bias ``(1 or B, heads, S, S)``, made when its turn comes: they are large."""
        dtype = working_dtype(positions)
        with torch.autocast(positions.device.type, enabled=False):
            shared = absolute_bias(
                self.pos_q_linear(positions),
                self.pos_k_linear(positions),
                self.config.encoder_attention_heads,
                self.config.attn_scale_factor,
            )
        if padding is not None:
            shared = shared.masked_fill(padding[:, None, None, :], NEVER)
        # Rows of a multiple of 8 numbers: GPU kernels copy the whole bias where they are not.
        length, cells = shared.shape[-1], len(slots)
        shared = pad(shared, (0, -length % 8)).to(dtype)
        cell_buckets = image_buckets(slots, self.config.image_bucket_size)
        word_buckets = token_buckets(length - cells, self.config.token_bucket_size)
        word_buckets = word_buckets.to(slots.device)
        for cell_table, word_table in zip(
            self.image_rel_pos_table_list, self.token_rel_pos_table_list, strict=True
        ):
            bias = shared.clone()
            bias[..., :cells, :cells] += relative_bias(cell_table, cell_buckets, dtype)
            bias[..., cells:, cells:length] += relative_bias(word_table, word_buckets, dtype)
            yield bias[..., :length]

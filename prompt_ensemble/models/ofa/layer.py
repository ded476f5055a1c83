"""The layers of both stacks: sub-layers with residuals and up to two norms around each."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.functional import gelu, relu

from prompt_ensemble.models.ofa.attention import Attention, KeysValues

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {"gelu": gelu, "relu": relu}


def norm_if(wanted: bool, width: int) -> nn.Module:
    """A layer norm, or nothing in its place (and in the checkpoint)."""
    return nn.LayerNorm(width) if wanted else nn.Identity()


class _Layer(nn.Module):
    """Self-attention and feed-forward; the names of the norms are the checkpoint's."""

    def __init__(
        self,
        width: int,
        heads: int,
        inner: int,
        activation: str,
        norm_first: bool,
        normformer: bool,
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.activation = ACTIVATIONS[activation]
        self.self_attn = Attention(width, heads)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.self_attn_mid_layer_norm = norm_if(normformer, width)
        self.fc1 = nn.Linear(width, inner)
        self.ffn_layer_norm = norm_if(normformer, inner)
        self.fc2 = nn.Linear(inner, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def residual(
        self, x: torch.Tensor, norm: nn.Module, sublayer: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """``x`` and what the sub-layer makes of it, with the norm before it or after the sum."""
        if self.norm_first:
            return x + sublayer(norm(x))
        normed: torch.Tensor = norm(x + sublayer(x))
        return normed

    def feed_forward(self, x: torch.Tensor) -> torch.Tensor:
        """Wider and back."""
        out: torch.Tensor = self.fc2(self.ffn_layer_norm(self.activation(self.fc1(x))))
        return out


class EncoderLayer(_Layer):
    """Everything attends to everything."""

    def forward(self, x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """``(B, n, d)`` to the same shape."""

        def attend(y: torch.Tensor) -> torch.Tensor:
            found = self.self_attn(y, self.self_attn.keys_values(y), bias)
            return self.self_attn_mid_layer_norm(found)  # type: ignore[no-any-return]

        x = self.residual(x, self.self_attn_layer_norm, attend)
        return self.residual(x, self.final_layer_norm, self.feed_forward)


class DecoderLayer(_Layer):
    """Words attend to the words before them, then to the encoder's memory."""

    def __init__(
        self,
        width: int,
        heads: int,
        inner: int,
        activation: str,
        norm_first: bool,
        normformer: bool,
    ) -> None:
        super().__init__(width, heads, inner, activation, norm_first, normformer)
        self.cross_attn = Attention(width, heads)
        self.cross_attn_layer_norm = nn.LayerNorm(width)
        self.cross_attn_mid_layer_norm = norm_if(normformer, width)

    def offer(self, memory: torch.Tensor) -> KeysValues:
        """What this layer sees of the encoder's memory ``(B, S, d)``."""
        return self.cross_attn.keys_values(memory)

    def forward(
        self,
        x: torch.Tensor,
        remember: Callable[[KeysValues], KeysValues],
        bias: torch.Tensor,
        memory: KeysValues,
        memory_bias: torch.Tensor,
    ) -> torch.Tensor:
        """New positions ``(R, t, d)`` to the same shape.

        ``remember`` adds their keys and values to those of the positions before. The memory exists
        once per image, whose K rows attend to it side by side: ``memory_bias`` is
        ``(1 or B, heads, K·t, m)``.
        """

        def attend(y: torch.Tensor) -> torch.Tensor:
            found = self.self_attn(y, remember(self.self_attn.keys_values(y)), bias)
            return self.self_attn_mid_layer_norm(found)  # type: ignore[no-any-return]

        def look(y: torch.Tensor) -> torch.Tensor:
            rows_of_an_image = y.reshape(len(memory[0]), -1, y.shape[-1])
            found = self.cross_attn(rows_of_an_image, memory, memory_bias)
            return self.cross_attn_mid_layer_norm(found).view_as(y)  # type: ignore[no-any-return]

        x = self.residual(x, self.self_attn_layer_norm, attend)
        x = self.residual(x, self.cross_attn_layer_norm, look)
        return self.residual(x, self.final_layer_norm, self.feed_forward)

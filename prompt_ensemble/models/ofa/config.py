"""What an OFA checkpoint's config.json says, and the sizes the authors published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from prompt_ensemble.core.errors import BadWeights


@dataclass(frozen=True)
class OfaConfig:
    """Fields of config.json that decide about the result; the defaults are the published values."""

    vocab_size: int = 59457
    d_model: int = 512
    encoder_layers: int = 4
    decoder_layers: int = 4
    encoder_attention_heads: int = 8
    decoder_attention_heads: int = 8
    encoder_ffn_dim: int = 2048
    decoder_ffn_dim: int = 2048
    resnet_type: str = "resnet101"
    max_position_embeddings: int = 1024
    token_bucket_size: int = 256
    image_bucket_size: int = 42
    """Longest side of the grid of image features."""
    code_image_size: int = 128
    attn_scale_factor: float = 2.0
    """Scales the bias of absolute positions only."""
    normformer: bool = True
    encoder_normalize_before: bool = True
    decoder_normalize_before: bool = True
    layernorm_embedding: bool = True
    patch_layernorm_embedding: bool = True
    code_layernorm_embedding: bool = True
    add_type_embedding: bool = True
    entangle_position_embedding: bool = False
    share_decoder_input_output_embed: bool = True
    scale_embedding: bool = False
    activation_function: str = "gelu"
    pad_token_id: int = 1
    bos_token_id: int = 0
    eos_token_id: int = 2

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], path: Path) -> OfaConfig:
        """The fields above from a config.json, whose other fields are of no concern."""
        if values.get("model_type", "ofa") != "ofa":
            raise BadWeights(
                f"{path} is of a {values['model_type']!r} model, expected 'ofa'; "
                "name the folder of an OFA checkpoint"
            )
        known = {field.name: field for field in fields(cls)}
        chosen = {name: value for name, value in values.items() if name in known}
        for name, value in chosen.items():
            expected = type(known[name].default)
            if not isinstance(value, (int, float) if expected is float else expected):
                raise BadWeights(
                    f"{path} has {name} = {value!r}, expected {expected.__name__}; copy it again"
                )
        return cls(**chosen)


def published(width: int, encoder: int, decoder: int, heads: int, resnet: str) -> OfaConfig:
    """A published size."""
    return OfaConfig(
        d_model=width,
        encoder_layers=encoder,
        decoder_layers=decoder,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        resnet_type=resnet,
    )


SIZES = {
    "tiny": published(256, 4, 4, 4, "resnet50"),
    "medium": published(512, 4, 4, 8, "resnet101"),
    "base": published(768, 6, 6, 12, "resnet101"),
    "large": published(1024, 12, 12, 16, "resnet152"),
    "huge": published(1280, 24, 12, 16, "resnet152"),
}

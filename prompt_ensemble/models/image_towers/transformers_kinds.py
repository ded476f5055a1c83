"""Networks of transformers that encode images, and how each gives its row of features.

A CLIP's text encoder or BLIP-2's language model is neither built nor read. Classes of transformers
are imported where they are used, since importing them is slow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Kind:
    """How the image encoder of one kind of network is built, and what else its folders hold."""

    build: Callable[[dict[str, Any]], Any]
    features: Callable[[Any], torch.Tensor]
    """The network's output to rows ``(B, D)``."""
    left_out: tuple[str, ...]
    """Tensors with these prefixes belong to the part that is not built."""
    config: tuple[str, ...] = ()
    """Parts of config.json that the image encoder is built from; all if empty."""
    first_patch: int | None = 1
    """The first patch's place among the last states, after a class token; None if they are none."""


def _vit(config: dict[str, Any]) -> Any:
    """A ViT without classifier or pooler."""
    from transformers import ViTConfig, ViTModel

    return ViTModel(ViTConfig(**config), add_pooling_layer=False)


def _clip(config: dict[str, Any]) -> Any:
    """CLIP's image encoder with the projection into the space that it shares with texts."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    shared = {"projection_dim": config["projection_dim"]} if "projection_dim" in config else {}
    vision = {**config.get("vision_config", config), **shared}
    return CLIPVisionModelWithProjection(CLIPVisionConfig(**vision))


def _siglip(config: dict[str, Any]) -> Any:
    """SigLIP's image encoder with its attention pooling."""
    from transformers import SiglipVisionConfig, SiglipVisionModel

    return SiglipVisionModel(SiglipVisionConfig(**config.get("vision_config", config)))


def _blip2(config: dict[str, Any]) -> Any:
    """BLIP-2's image encoder and its Q-Former, whose queries are averaged.

    transformers has no such network. Its parts have the names that they have in whole checkpoints.
    """
    from transformers import Blip2Config, Blip2PreTrainedModel, Blip2QFormerModel, Blip2VisionModel
    from transformers.modeling_outputs import BaseModelOutputWithPooling

    class Blip2Vision(Blip2PreTrainedModel):
        """Pixels to the mean of what the Q-Former's queries return."""

        def __init__(self, config: Blip2Config) -> None:
            super().__init__(config)
            vision: Any = config.vision_config
            qformer: Any = config.qformer_config
            width = qformer.hidden_size
            self.vision_model = Blip2VisionModel(vision)
            self.query_tokens = nn.Parameter(torch.zeros(1, config.num_query_tokens, width))
            self.qformer = Blip2QFormerModel(qformer)
            self.post_init()

        def forward(
            self, pixel_values: torch.Tensor, interpolate_pos_encoding: bool = False
        ) -> BaseModelOutputWithPooling:
            patches = self.vision_model(
                pixel_values, interpolate_pos_encoding=interpolate_pos_encoding
            ).last_hidden_state
            answers = self.qformer(
                query_embeds=self.query_tokens.expand(len(patches), -1, -1),
                encoder_hidden_states=patches,
            ).last_hidden_state
            return BaseModelOutputWithPooling(answers, answers.mean(dim=1))

    return Blip2Vision(Blip2Config(**config))


def _first_token(output: Any) -> torch.Tensor:
    """The row of the class token, which describes the whole image."""
    row: torch.Tensor = output.last_hidden_state[:, 0]
    return row


def _projected(output: Any) -> torch.Tensor:
    """The row that texts are compared with."""
    row: torch.Tensor = output.image_embeds
    return row


def _pooled(output: Any) -> torch.Tensor:
    """The row that the network's pooling makes."""
    row: torch.Tensor = output.pooler_output
    return row


KINDS = {
    "vit": Kind(_vit, _first_token, ("classifier.", "pooler.")),
    "clip": Kind(
        _clip, _projected, ("text_model.", "text_projection.", "logit_scale"),
        ("model_type", "vision_config", "projection_dim"),
    ),
    "clip_vision_model": Kind(_clip, _projected, ()),
    "siglip": Kind(
        _siglip, _pooled, ("text_model.", "logit_scale", "logit_bias"),
        ("model_type", "vision_config"), first_patch=0,
    ),
    "siglip_vision_model": Kind(_siglip, _pooled, (), first_patch=0),
    "blip-2": Kind(
        _blip2, _pooled, ("language_model.", "language_projection."),
        ("model_type", "vision_config", "qformer_config", "num_query_tokens"), first_patch=None,
    ),
}  # fmt: skip
"""Kinds of network by ``model_type`` of config.json."""

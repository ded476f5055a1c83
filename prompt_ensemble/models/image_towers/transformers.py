"""What looks at pictures in transformers' folders: ViT, CLIP, SigLIP, and BLIP-2's two parts.

Only the looking half is built and read; a CLIP's text tower or BLIP-2's language model stays on
the disk. Names of tensors differ between versions of transformers, which knows how to read old
ones, so reading is left to it and only judged here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.models.checkpoints import finite, load_strictly, read_json
from prompt_ensemble.models.image_towers.blip2 import blip2_vision
from prompt_ensemble.models.image_towers.tower_library import Config, TowerLibrary
from prompt_ensemble.models.transformers_folders import (
    COMPLAINTS,
    load_preprocessing,
    quiet,
    unreadable,
)


@dataclass(frozen=True)
class Kind:
    """One kind of network: how its looking half is made, and what else its folders hold."""

    make: Callable[[dict[str, Any]], Any]
    features: Callable[[Any], torch.Tensor]
    left_out: tuple[str, ...]
    """Tensors with these prefixes belong to the other half."""
    config: tuple[str, ...] = ()
    """Parts of config.json that matter; all if empty."""


def vit(config: dict[str, Any]) -> Any:
    """A ViT without classifier or pooler."""
    from transformers import ViTConfig, ViTModel

    return ViTModel(ViTConfig(**config), add_pooling_layer=False)


def clip(config: dict[str, Any]) -> Any:
    """CLIP's vision tower up to the space it shares with texts."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    shared = {"projection_dim": config["projection_dim"]} if "projection_dim" in config else {}
    said = {**config.get("vision_config", config), **shared}
    return CLIPVisionModelWithProjection(CLIPVisionConfig(**said))


def siglip(config: dict[str, Any]) -> Any:
    """SigLIP's vision tower with its attention pooling."""
    from transformers import SiglipVisionConfig, SiglipVisionModel

    return SiglipVisionModel(SiglipVisionConfig(**config.get("vision_config", config)))


def first_token(output: Any) -> torch.Tensor:
    """What the network says of the whole picture."""
    row: torch.Tensor = output.last_hidden_state[:, 0]
    return row


def projected(output: Any) -> torch.Tensor:
    """The row that texts are compared with."""
    row: torch.Tensor = output.image_embeds
    return row


def pooled(output: Any) -> torch.Tensor:
    """The row that attention pooling makes."""
    row: torch.Tensor = output.pooler_output
    return row


CLIP_KIND = Kind(
    clip, projected, ("text_model.", "text_projection.", "logit_scale"),
    ("model_type", "vision_config", "projection_dim"),
)  # fmt: skip
SIGLIP_KIND = Kind(
    siglip, pooled, ("text_model.", "logit_scale", "logit_bias"), ("model_type", "vision_config")
)
KINDS = {
    "vit": Kind(vit, first_token, ("classifier.", "pooler.")),
    "clip": CLIP_KIND,
    "clip_vision_model": Kind(clip, projected, ()),
    "siglip": SIGLIP_KIND,
    "siglip_vision_model": Kind(siglip, pooled, ()),
    "blip-2": Kind(
        blip2_vision, pooled, ("language_model.", "language_projection."),
        ("model_type", "vision_config", "qformer_config", "num_query_tokens"),
    ),
}  # fmt: skip
"""``model_type`` of config.json → what is done with it."""


class TransformersVision(nn.Module):
    """Pixels to one row of features an image; position embeddings stretch to other sizes."""

    def __init__(self, eyes: Any, kind: Kind) -> None:
        super().__init__()
        self.eyes = eyes
        self.kind = kind
        config = getattr(eyes.config, "vision_config", eyes.config)
        self.size = int(config.image_size)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """One row an image."""
        stretch = pixels.shape[-1] != self.size
        return self.kind.features(self.eyes(pixels, interpolate_pos_encoding=stretch))

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Less memory for more time, under the name that timm gives it."""
        if enable:
            self.eyes.gradient_checkpointing_enable()
        else:
            self.eyes.gradient_checkpointing_disable()


def kind_of(config: Config, where: str) -> Kind:
    """What is known of this kind of network."""
    named = str(config.get("model_type", ""))
    if named not in KINDS:
        raise BadWeights(
            f"{where} is of model_type {named!r}, in which nothing is known to look at pictures; "
            f"known: {', '.join(KINDS)}"
        )
    return KINDS[named]


def build(name: str, config: Config) -> nn.Module:
    """The looking half of the network that ``config`` (of config.json) tells of."""
    kind = kind_of(config, f"tower {name!r}")
    said = {key: value for key, value in config.items() if key != "model_type"}
    with quiet():
        return TransformersVision(kind.make(said), kind)


def load(tower: nn.Module, paths: Sequence[Path]) -> None:
    """Weights of a folder; every tensor of the looking half must be there."""
    assert isinstance(tower, TransformersVision)
    for folder in paths:
        load_strictly(tower.eyes, read_half(tower, folder), folder)


def read_half(tower: TransformersVision, folder: Path) -> dict[str, torch.Tensor]:
    """What the folder holds of the tower under the tower's names, faults included."""
    eyes = tower.eyes
    try:
        with quiet():
            read, notes = type(eyes).from_pretrained(
                folder, config=eyes.config, local_files_only=True, trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True, dtype="float32",
            )  # fmt: skip
    except (*COMPLAINTS, SafetensorError) as error:
        raise unreadable(folder, error) from error
    expected = eyes.state_dict().keys()
    missing = notes["missing_keys"]
    known = {name: t for name, t in read.state_dict().items() if name in expected - missing}
    state = finite(known, folder)
    for name, found, _ in notes["mismatched_keys"]:
        state[name] = torch.empty(found, device="meta")
    for name in notes["unexpected_keys"]:
        if not name.startswith(tower.kind.left_out):
            state[name] = torch.empty(0)
    return state


def describe(name: str, paths: Sequence[Path]) -> tuple[Config, Preprocessing]:
    """From the folder's config.json and its recipe for pictures."""
    if not paths:
        raise BadWeights(
            f"tower {name!r} of transformers needs a folder that says how it is built; "
            "name it as the backbone"
        )
    config = read_json(paths[0] / "config.json")
    kind = kind_of(config, str(paths[0]))
    said = {key: value for key, value in config.items() if not kind.config or key in kind.config}
    return said, load_preprocessing(paths[0])


TRANSFORMERS = TowerLibrary(build, load, describe)

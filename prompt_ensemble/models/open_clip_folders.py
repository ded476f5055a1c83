"""Models of open_clip on the disk: how one is built, what it asks of images, and its tensors.

A model is a checkpoint file, whose network has to be named, or a folder whose
``open_clip_config.json`` describes it. Image towers, two-sided towers and CoCa all read it here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from prompt_ensemble.core.errors import BadConfig, BadWeights, nearest_name
from prompt_ensemble.images.preprocessing import CLIP_MEAN, CLIP_STD, Preprocessing
from prompt_ensemble.models.checkpoints import load_strictly, plain_state, read_json
from prompt_ensemble.models.folders import without_downloads

CONFIG = "open_clip_config.json"
_CHECKPOINTS = ("open_clip_*.safetensors", "open_clip_*.bin", "*.safetensors", "*.bin", "*.pt")
"""Where a folder's tensors are looked for, in this order."""
_LOOSE_NUMBERS = ("input_resolution", "context_length", "vocab_size")
"""Measures of the network that OpenAI's checkpoints store among the tensors."""
_OLD_BUFFERS = ("attn_mask", "position_ids")
"""Constants that older versions stored and newer ones compute."""


@dataclass(frozen=True)
class Architecture:
    """What open_clip builds a model from, and how the model's images are prepared."""

    model: Mapping[str, Any]
    images: Mapping[str, Any] = field(default_factory=dict)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images, in pixels."""
        size = self.model["vision_cfg"].get("image_size", 224)
        height, width = (size, size) if isinstance(size, int) else size
        return height, width

    def recipe(self) -> Preprocessing:
        """The preprocessing in our terms; what the config leaves out is as in CLIP."""
        height, width = self.image_size
        mode = self.images.get("resize_mode", "shortest")
        if mode not in ("shortest", "squash"):
            raise BadConfig(f"resize mode {mode!r} is not known here; expected shortest or squash")
        return Preprocessing(
            height=height,
            width=width,
            mean=tuple(self.images.get("mean", CLIP_MEAN)),
            std=tuple(self.images.get("std", CLIP_STD)),
            interpolation=self.images.get("interpolation", "bicubic"),
            resize_shortest=None if mode == "squash" else min(height, width),
        )


def has_config(path: Path) -> bool:
    """Whether the model lies in a folder that describes it."""
    return path.is_dir() and (path / CONFIG).exists()


def read_config(folder: Path) -> Architecture:
    """The architecture that the folder describes."""
    config: Mapping[str, Any] = read_json(folder / CONFIG)
    if not isinstance(config.get("model_cfg"), dict):
        raise BadWeights(f"{folder / CONFIG} has no model_cfg; copy the whole model folder again")
    return Architecture(config["model_cfg"], config.get("preprocess_cfg", {}))


def read_architecture(path: Path, name: str) -> Architecture:
    """The architecture of this name or, without a name, the one that the folder describes."""
    return read_config(path) if not name and has_config(path) else known_architecture(name, path)


def known_architecture(name: str, path: Path) -> Architecture:
    """What open_clip records for ``ViT-L-14/openai``: the network, and its weights' images."""
    from open_clip import get_model_config, get_pretrained_cfg, list_models

    model, _, tag = name.partition("/")
    if not model:
        raise BadConfig(
            f"{path} does not say which CLIP it is; name it with the option architecture, "
            f"e.g. 'ViT-H-14/laion2b_s32b_b79k', or put its {CONFIG} into its folder"
        )
    if model not in list_models():
        raise BadConfig(
            f"unknown CLIP architecture {model!r}; {nearest_name(model, list_models())}"
        )
    published = get_pretrained_cfg(model, tag) or {} if tag else {}
    config = dict(get_model_config(model) or {})
    if published.get("quick_gelu"):
        config["quick_gelu"] = True
    return Architecture(config, published)


def build_clip(config: Mapping[str, Any]) -> Any:
    """The network with random weights."""
    from open_clip import CLIP, CustomTextCLIP

    if config.get("text_cfg", {}).get("hf_model_name"):
        raise BadConfig(
            "this CLIP's text tower is a model of its own on the Hugging Face hub, which cannot "
            "be reached; use a model whose text tower open_clip builds, or a transformers folder"
        )
    parts = ("embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "init_logit_bias")
    chosen = without_downloads({part: config[part] for part in parts if part in config})
    return CustomTextCLIP(**chosen) if config.get("custom_text") else CLIP(**chosen)


def find_checkpoint(path: Path) -> Path:
    """The file with the tensors."""
    if path.is_file():
        return path
    for pattern in _CHECKPOINTS:
        if files := sorted(path.glob(pattern)):
            return files[0]
    raise BadWeights(f"{path} holds no checkpoint; expected one of {', '.join(_CHECKPOINTS)}")


def read_state(checkpoint: Path) -> dict[str, torch.Tensor]:
    """The model's tensors, without a training run's wrapping and without numbers and constants."""
    state = plain_state(checkpoint, ignored=_LOOSE_NUMBERS)
    return {name: tensor for name, tensor in state.items() if not name.endswith(_OLD_BUFFERS)}


def load_clip_state(model: Any, state: dict[str, torch.Tensor], checkpoint: Path) -> None:
    """Put a state dict of ``read_state`` into its model, every tensor accounted for."""
    if "logit_scale" in state:  # a number or a list of one
        scale = state["logit_scale"].reshape(model.logit_scale.shape)
        state = state | {"logit_scale": scale}
    load_strictly(model, state, checkpoint)

"""Image encoders out of transformers' folders: ViT, CLIP, SigLIP and BLIP-2.

Names of tensors differ between versions of transformers, which knows how to read old ones. So
reading is left to it, and what it reports is then judged as strictly as any other checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.models.checkpoints import finite, load_strictly, read_json
from prompt_ensemble.models.image_towers.tower_library import Config, TowerLibrary
from prompt_ensemble.models.image_towers.transformers_kinds import KINDS, Kind
from prompt_ensemble.models.transformers_folders import (
    COMPLAINTS,
    load_preprocessing,
    quiet,
    unreadable,
)


class TransformersVision(nn.Module):
    """Normalised pixels to ``(B, D)``; position embeddings stretch to images of other sizes."""

    def __init__(self, eyes: Any, kind: Kind) -> None:
        super().__init__()
        self.eyes = eyes  # the name is part of saved state dicts
        self.kind = kind
        config = getattr(eyes.config, "vision_config", eyes.config)
        self.size = int(config.image_size)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """One row of features for each image."""
        return self.kind.features(self._look(pixels))

    def patches(self, pixels: torch.Tensor) -> torch.Tensor | None:
        """``(B, N, D)`` last states of the patches, row after row; None if there are none."""
        first = self.kind.first_patch
        return None if first is None else self._look(pixels).last_hidden_state[:, first:]

    def _look(self, pixels: torch.Tensor) -> Any:
        """All that the network gives."""
        stretch = pixels.shape[-1] != self.size
        return self.eyes(pixels, interpolate_pos_encoding=stretch)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Less memory for more time; the method has the name that timm gives it."""
        if enable:
            self.eyes.gradient_checkpointing_enable()
        else:
            self.eyes.gradient_checkpointing_disable()


def _kind_of(config: Config, where: str) -> Kind:
    """The kind of network that a config.json describes."""
    model_type = str(config.get("model_type", ""))
    if model_type not in KINDS:
        raise BadWeights(
            f"{where} is of model_type {model_type!r}, of which no image encoder is known; "
            f"known: {', '.join(KINDS)}"
        )
    return KINDS[model_type]


def _build(name: str, config: Config) -> nn.Module:
    """The image encoder of the network that ``config`` (of config.json) describes."""
    kind = _kind_of(config, f"tower {name!r}")
    settings = {key: value for key, value in config.items() if key != "model_type"}
    with quiet():
        return TransformersVision(kind.build(settings), kind)


def _load(tower: nn.Module, paths: Sequence[Path]) -> None:
    """Weights of a folder; every tensor of the image encoder must be there."""
    assert isinstance(tower, TransformersVision)
    for folder in paths:
        load_strictly(tower.eyes, _read_state(tower, folder), folder)


def _read_state(tower: TransformersVision, folder: Path) -> dict[str, torch.Tensor]:
    """The image encoder's tensors in the folder, by the network's names.

    ``from_pretrained`` fills gaps with random numbers and only reports them. Here a missing tensor
    stays missing, one of another shape keeps that shape (without data), and one too many is added,
    so that ``load_strictly`` names them all.
    """
    network = tower.eyes
    try:
        with quiet():
            read, notes = type(network).from_pretrained(
                folder, config=network.config, local_files_only=True, trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True, dtype="float32",
            )  # fmt: skip
    except (*COMPLAINTS, SafetensorError) as error:
        raise unreadable(folder, error) from error
    present = network.state_dict().keys() - notes["missing_keys"]
    state = {name: tensor for name, tensor in read.state_dict().items() if name in present}
    state = finite(state, folder)
    for name, shape, _ in notes["mismatched_keys"]:
        state[name] = torch.empty(shape, device="meta")
    for name in notes["unexpected_keys"]:
        if not name.startswith(tower.kind.left_out):
            state[name] = torch.empty(0)
    return state


def _describe(name: str, paths: Sequence[Path]) -> tuple[Config, Preprocessing]:
    """From the folder's config.json and its preprocessing file."""
    if not paths:
        raise BadWeights(
            f"tower {name!r} of transformers needs a folder that says how it is built; "
            "name it as the backbone"
        )
    config = read_json(paths[0] / "config.json")
    kind = _kind_of(config, str(paths[0]))
    relevant = {key: config[key] for key in config if not kind.config or key in kind.config}
    return relevant, load_preprocessing(paths[0])


TRANSFORMERS = TowerLibrary(_build, _load, _describe)

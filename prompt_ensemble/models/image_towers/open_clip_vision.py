"""Image encoders of open_clip's models, by name or from a folder that describes its model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.models.checkpoints import load_strictly
from prompt_ensemble.models.image_towers.tower_library import Config, TowerLibrary
from prompt_ensemble.models.open_clip_folders import (
    Architecture,
    build_clip,
    find_checkpoint,
    known_architecture,
    read_architecture,
    read_state,
)

_NO_TEXT = {"layers": 1, "width": 8, "heads": 1, "vocab_size": 1, "context_length": 1}
"""The smallest text encoder, since only the image encoder is kept."""


class _OpenClipVision(nn.Module):
    """Normalised pixels to the image encoder's projected features."""

    def __init__(self, visual: Any, size: int) -> None:
        super().__init__()
        self.visual = visual
        self.size = size

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """``(B, D)`` features."""
        if hasattr(self.visual, "positional_embedding") and pixels.shape[-1] != self.size:
            raise BadConfig(
                f"this open_clip tower takes images of {self.size} pixels only, not of "
                f"{pixels.shape[-1]}; leave out views of other sizes"
            )
        features: torch.Tensor = self.visual(pixels)
        return features

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Less memory for more time; the method has the name that timm gives it."""
        self.visual.set_grad_checkpointing(enable)


def _build(name: str, config: Config) -> nn.Module:
    """The image encoder that ``config`` describes, or else the one of this name."""
    vision = config or _vision_part(known_architecture(name, Path(name)))
    model = build_clip({**vision, "text_cfg": _NO_TEXT})
    return _OpenClipVision(model.visual, Architecture(vision).image_size[1])


def _vision_part(architecture: Architecture) -> Config:
    """The part of an architecture that the image encoder is built from."""
    parts = ("embed_dim", "vision_cfg", "quick_gelu")
    return {part: architecture.model[part] for part in parts if part in architecture.model}


def _load(tower: nn.Module, paths: Sequence[Path]) -> None:
    """The image encoder's tensors out of a whole CLIP's checkpoint."""
    for path in paths:
        checkpoint = find_checkpoint(path)
        state = read_state(checkpoint)
        vision = {name: tensor for name, tensor in state.items() if name.startswith("visual.")}
        load_strictly(tower, vision, checkpoint)


def _describe(name: str, paths: Sequence[Path]) -> tuple[Config, Preprocessing]:
    """The architecture of this name or, without a name, the one that the folder describes."""
    architecture = read_architecture(paths[0] if paths else Path(name), name)
    return _vision_part(architecture), architecture.recipe()


OPEN_CLIP = TowerLibrary(_build, _load, _describe)

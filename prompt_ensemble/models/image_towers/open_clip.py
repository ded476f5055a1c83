"""Vision towers of open_clip, by name or from a folder that says what it holds."""

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
from prompt_ensemble.models.state_dicts import plain_state
from prompt_ensemble.models.two_sided_towers import open_clip as published

NO_TEXT = {"layers": 1, "width": 8, "heads": 1, "vocab_size": 1, "context_length": 1}
"""The smallest text tower, since only the vision tower is kept."""


class OpenClipVision(nn.Module):
    """Pixels to the tower's projected features."""

    def __init__(self, visual: Any, size: int) -> None:
        super().__init__()
        self.visual = visual
        self.size = size

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """One row an image."""
        if hasattr(self.visual, "positional_embedding") and pixels.shape[-1] != self.size:
            raise BadConfig(
                f"this open_clip tower sees pictures of {self.size} pixels only, not of "
                f"{pixels.shape[-1]}; leave out views of other sizes"
            )
        features: torch.Tensor = self.visual(pixels)
        return features

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Less memory for more time, under the name that timm gives it."""
        self.visual.set_grad_checkpointing(enable)


def build(name: str, config: Config) -> nn.Module:
    """The tower that ``config`` tells of, else the one of this name."""
    said = config or vision_config(published.known_architecture(name, Path(name)).model)
    model = published.build({**said, "text_cfg": NO_TEXT})
    size = said["vision_cfg"].get("image_size", 224)
    return OpenClipVision(model.visual, size if isinstance(size, int) else size[1])


def vision_config(model: Config) -> Config:
    """What of an architecture is about pictures."""
    parts = ("embed_dim", "vision_cfg", "quick_gelu")
    return {part: model[part] for part in parts if part in model}


def load(tower: nn.Module, paths: Sequence[Path]) -> None:
    """The vision half of a CLIP checkpoint."""
    for path in paths:
        file = published.find_checkpoint(path)
        state = plain_state(file)
        seen = {name: tensor for name, tensor in state.items() if name.startswith("visual.")}
        load_strictly(tower, seen, file)


def describe(name: str, paths: Sequence[Path]) -> tuple[Config, Preprocessing]:
    """By name, or from the folder's own config where there is no name."""
    architecture = published.read_architecture(paths[0] if paths else Path(name), name)
    return vision_config(architecture.model), published.recipe(architecture)


OPEN_CLIP = TowerLibrary(build, load, describe)

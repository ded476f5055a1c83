"""Towers: networks that turn normalised pixels into one row of features an image."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.models.folders import check_configs, opening
from prompt_ensemble.models.image_towers.lite_features import LITE_FEATURES
from prompt_ensemble.models.image_towers.onnx_clip import ONNX_CLIP
from prompt_ensemble.models.image_towers.open_clip_vision import OPEN_CLIP
from prompt_ensemble.models.image_towers.timm import TIMM
from prompt_ensemble.models.image_towers.tower_library import TowerLibrary
from prompt_ensemble.models.image_towers.transformers import TRANSFORMERS
from prompt_ensemble.models.weights import WeightRoots

TOWER_LIBRARIES: dict[str, TowerLibrary] = {
    "timm": TIMM,
    "lite-features": LITE_FEATURES,
    "transformers": TRANSFORMERS,
    "open_clip": OPEN_CLIP,
    "onnx-clip": ONNX_CLIP,
}
"""Libraries by the names that saved regressors and recipes give them."""


@dataclass(frozen=True)
class TowerSpec:
    """Which network, and where its weights are."""

    library: str
    name: str
    backbone: str | None = None
    """Name of the model whose published weights the tower keeps; None if it has its own.
    A tower of several nets names one each, joined by ``+``."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """What the library builds it from, where the name does not say it."""

    @property
    def backbones(self) -> tuple[str, ...]:
        """The names one by one."""
        return tuple(self.backbone.split("+")) if self.backbone else ()

    @property
    def said(self) -> dict[str, Any]:
        """The fields that say something."""
        return {name: value for name, value in asdict(self).items() if value}


def tower_library(library: str) -> TowerLibrary:
    """The library of this name."""
    if library not in TOWER_LIBRARIES:
        raise BadWeights(
            f"tower library {library!r} is unknown; known: {', '.join(TOWER_LIBRARIES)}"
        )
    return TOWER_LIBRARIES[library]


def build_tower(spec: TowerSpec) -> nn.Module:
    """The network with random weights; ``forward`` gives ``(B, D)`` pooled features."""
    return tower_library(spec.library).build(spec.name, spec.config)


def load_backbones(tower: nn.Module, spec: TowerSpec, roots: WeightRoots) -> None:
    """Published weights into a tower that has none of its own."""
    paths = [roots.find(name).path for name in spec.backbones]
    if paths:
        with ExitStack() as stack:
            for path in paths:
                stack.enter_context(opening(path))
            tower_library(spec.library).load(tower, paths)


def frozen(tower: nn.Module, device: torch.device) -> nn.Module:
    """The tower as it looks fastest on a device where nobody changes its numbers."""
    fastest: nn.Module = tower.frozen_on(device) if hasattr(tower, "frozen_on") else tower  # type: ignore[operator]
    return fastest


def describe_tower(
    library: str, name: str, backbone: str | None, roots: WeightRoots
) -> tuple[TowerSpec, Preprocessing]:
    """A tower as its published files tell of it, and how it wants its pictures."""
    spec = TowerSpec(library, name, backbone)
    paths = [roots.find(part).path for part in spec.backbones]
    for path in paths:
        check_configs(path)
    config, recipe = tower_library(library).describe(name, paths)
    return TowerSpec(library, name, backbone, config), recipe

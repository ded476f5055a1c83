"""Image towers by specification: built, loaded and described by the library they come from."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.models.folders import check_configs, opening
from prompt_ensemble.models.image_towers.lite_features import LITE_FEATURES
from prompt_ensemble.models.image_towers.onnx_clip import ONNX_CLIP
from prompt_ensemble.models.image_towers.open_clip_vision import OPEN_CLIP
from prompt_ensemble.models.image_towers.timm_networks import TIMM
from prompt_ensemble.models.image_towers.tower_library import Freezable, TowerLibrary
from prompt_ensemble.models.image_towers.transformers_vision import TRANSFORMERS
from prompt_ensemble.models.weights import WeightRoots

_LIBRARIES: dict[str, TowerLibrary] = {
    "timm": TIMM,
    "lite-features": LITE_FEATURES,
    "transformers": TRANSFORMERS,
    "open_clip": OPEN_CLIP,
    "onnx-clip": ONNX_CLIP,
}
"""Libraries by the names that saved regressors and recipes use for them."""


@dataclass(frozen=True)
class TowerSpec:
    """Which network a tower is, and where its weights are."""

    library: str
    name: str
    backbone: str | None = None
    """Name of the model whose published weights the tower keeps; None if it was trained further.
    A tower of several networks has a name for each, joined by ``+``."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """What the library builds the network from, where the name is not enough."""

    @property
    def backbones(self) -> tuple[str, ...]:
        """The names of the published models, in order."""
        return tuple(self.backbone.split("+")) if self.backbone else ()


def build_tower(spec: TowerSpec) -> nn.Module:
    """The network with random weights; ``forward`` gives ``(B, D)`` pooled features."""
    return _library(spec.library).build(spec.name, spec.config)


def load_backbones(tower: nn.Module, spec: TowerSpec, roots: WeightRoots) -> None:
    """Put the published weights that the specification names into the tower."""
    paths = [roots.find(name).path for name in spec.backbones]
    if paths:
        with ExitStack() as stack:
            for path in paths:
                stack.enter_context(opening(path))
            _library(spec.library).load(tower, paths)


def describe_tower(
    library: str, name: str, backbone: str | None, roots: WeightRoots
) -> tuple[TowerSpec, Preprocessing]:
    """A tower's specification and preprocessing, read from its published files."""
    spec = TowerSpec(library, name, backbone)
    paths = [roots.find(part).path for part in spec.backbones]
    for path in paths:
        check_configs(path)
    config, recipe = _library(library).describe(name, paths)
    return TowerSpec(library, name, backbone, config), recipe


def frozen(tower: nn.Module, device: torch.device) -> nn.Module:
    """The tower in its fastest form on this device; it can no longer be trained."""
    return tower.frozen_on(device) if isinstance(tower, Freezable) else tower


def _library(name: str) -> TowerLibrary:
    """The library of this name."""
    if name not in _LIBRARIES:
        raise BadWeights(f"tower library {name!r} is unknown; known: {', '.join(_LIBRARIES)}")
    return _LIBRARIES[name]

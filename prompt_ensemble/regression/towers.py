"""Towers: networks that turn normalised pixels into one row of features an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from prompt_ensemble.errors import BadWeights
from prompt_ensemble.regression.efficientnet_lite import to_timm_names
from prompt_ensemble.regression.lite_features import LiteFeatures, load_lites
from prompt_ensemble.weights import WeightRoots, load_state, load_strictly


@dataclass(frozen=True)
class TowerSpec:
    """Which network, and where its weights are."""

    library: str
    name: str
    backbone: str | None = None
    """Name of the model whose published weights the tower keeps; None if it has its own.
    A tower of several nets names one each, joined by ``+``."""

    @property
    def backbones(self) -> tuple[str, ...]:
        """The names one by one."""
        return tuple(self.backbone.split("+")) if self.backbone else ()


def build_tower(spec: TowerSpec) -> torch.nn.Module:
    """The network with random weights; ``forward`` gives ``(B, D)`` pooled features."""
    if spec.library == "lite-features":
        return LiteFeatures(spec.name)
    if spec.library != "timm":
        raise BadWeights(f"tower library {spec.library!r} is unknown; known: timm, lite-features")
    import timm

    if spec.name not in timm.list_models():
        raise BadWeights(f"timm has no model {spec.name!r}; see timm.list_models()")
    tower: torch.nn.Module = timm.create_model(spec.name, pretrained=False, num_classes=0)
    return tower


def load_backbones(tower: torch.nn.Module, spec: TowerSpec, roots: WeightRoots) -> None:
    """Published weights into a tower that has none of its own."""
    paths = [roots.find(name).path for name in spec.backbones]
    if isinstance(tower, LiteFeatures):
        load_lites(tower, paths)
    else:
        for path in paths:
            load_backbone(tower, path)


def load_backbone(tower: torch.nn.Module, path: Path) -> None:
    """Published EfficientNet-Lite weights into a timm tower, the classifier left out."""
    file = path if path.is_file() else next(iter(sorted(path.glob("*.pth"))))
    stages = [len(stage) for stage in tower.blocks]  # type: ignore[arg-type, union-attr]
    state = to_timm_names(load_state(file), stages)
    features = {name: t for name, t in state.items() if not name.startswith("classifier.")}
    load_strictly(tower, features, file)

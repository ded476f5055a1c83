"""Several EfficientNet-Lites looking together: their features and the classes they see.

Means of the later stages tell the kind of picture, pooled features the things in it, and the
square roots of class probabilities name what pooled features spread thin. A linear head on all of
them does better than on any (docs/experiments.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from prompt_ensemble.errors import BadWeights
from prompt_ensemble.regression.efficientnet_lite import to_timm_names
from prompt_ensemble.weights import load_state, load_strictly

FIRST_STAGE_KEPT = 2
"""Stages before this one see edges and dots, whatever the prompt was."""


class LiteFeatures(nn.Module):
    """Normalised pixels to ``(B, D)`` features, one net after another."""

    def __init__(self, sizes: str) -> None:
        """``sizes`` as in ``0+2``."""
        import timm

        super().__init__()
        names = [f"tf_efficientnet_lite{size}" for size in sizes.split("+")]
        unknown = [name for name in names if name not in timm.list_models()]
        if unknown:
            raise BadWeights(f"timm has no model {unknown[0]!r}; sizes are 0 to 4, as in 0+2")
        self.nets = nn.ModuleList(timm.create_model(name, pretrained=False) for name in names)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """One row an image."""
        return torch.cat([features_of(net, pixels) for net in self.nets], dim=1)


def features_of(net: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Means of the later stages, pooled features, square roots of the class probabilities."""
    maps = net.bn1(net.conv_stem(pixels))
    means = []
    for number, stage in enumerate(net.blocks):
        maps = stage(maps)
        if number >= FIRST_STAGE_KEPT:
            means.append(maps.float().mean(dim=(2, 3)))
    pooled = net.global_pool(net.bn2(net.conv_head(maps))).float()
    chances = net.classifier(pooled).float().softmax(dim=1)
    return torch.cat([*means, pooled, chances.sqrt()], dim=1)


def load_lites(tower: LiteFeatures, paths: list[Path]) -> None:
    """Published checkpoints, classifiers included, in the order of the nets."""
    if len(paths) != len(tower.nets):
        raise BadWeights(f"{len(tower.nets)} nets need as many backbones, not {len(paths)}")
    for net, path in zip(tower.nets, paths, strict=True):
        file = path if path.is_file() else next(iter(sorted(path.glob("*.pth"))))
        stages = [len(stage) for stage in net.blocks]  # type: ignore[arg-type, union-attr]
        load_strictly(net, to_timm_names(load_state(file), stages), file)

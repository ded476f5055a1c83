"""Several EfficientNet-Lites looking together: their features and the classes they see.

The square roots of class probabilities carry content that pooled features spread thin; a linear
head on both does better than on either (docs/experiments.md).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from prompt_ensemble.errors import BadWeights
from prompt_ensemble.regression.efficientnet_lite import to_timm_names
from prompt_ensemble.weights import load_state, load_strictly


class LiteFeatures(nn.Module):
    """Normalised pixels to ``(B, D)``: pooled features and class chances, one net after another."""

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


def features_of(net: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """Pooled features of one net, then the square roots of its class probabilities."""
    pooled = net.global_pool(net.forward_features(pixels)).float()  # type: ignore[operator]
    chances = net.classifier(pooled).float().softmax(dim=1)  # type: ignore[operator]
    return torch.cat([pooled, chances.sqrt()], dim=1)


def load_lites(tower: LiteFeatures, paths: list[Path]) -> None:
    """Published checkpoints, classifiers included, in the order of the nets."""
    if len(paths) != len(tower.nets):
        raise BadWeights(f"{len(tower.nets)} nets need as many backbones, not {len(paths)}")
    for net, path in zip(tower.nets, paths, strict=True):
        file = path if path.is_file() else next(iter(sorted(path.glob("*.pth"))))
        stages = [len(stage) for stage in net.blocks]  # type: ignore[arg-type, union-attr]
        load_strictly(net, to_timm_names(load_state(file), stages), file)

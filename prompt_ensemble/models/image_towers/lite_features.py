"""Features of one or several EfficientNet-Lites: inner stages, pooled features, and classes.

Means of the later stages tell the kind of picture and pooled features the things in it; square
roots of the class probabilities name those things. A linear head on all three does better than on
any of them alone (docs/experiments.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.images.preprocessing import HALF, Preprocessing
from prompt_ensemble.models.checkpoints import load_state, load_strictly, state_file
from prompt_ensemble.models.image_towers.efficientnet_lite import to_timm_names
from prompt_ensemble.models.image_towers.tower_library import Config, TowerLibrary

_IMAGES_PER_STEP = 4
"""On a CPU: the maps of more do not fit its caches; 32 at once take half again the time."""
_CLASSES = 1000
"""Of ImageNet."""
_FIRST_STAGE_KEPT = 2
"""Earlier stages find edges and dots, whatever the prompt was."""


class LiteFeatures(nn.Module):
    """Normalised pixels to ``(B, D)``: the features of each network, one after another."""

    def __init__(self, sizes: str) -> None:
        """``sizes`` names the networks, as in ``0+2``."""
        import timm

        super().__init__()
        names = [f"tf_efficientnet_lite{size}" for size in sizes.split("+")]
        unknown = [name for name in names if name not in timm.list_models()]
        if unknown:
            raise BadWeights(f"timm has no model {unknown[0]!r}; sizes are 0 to 4, as in 0+2")
        self.nets = nn.ModuleList(timm.create_model(name, pretrained=False) for name in names)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """One row of features for each image."""
        parts = [pixels] if pixels.is_cuda else pixels.split(_IMAGES_PER_STEP)
        return torch.cat([self._features(part) for part in parts])

    def _features(self, pixels: torch.Tensor) -> torch.Tensor:
        """The features of all networks for a few images."""
        return torch.cat([_features_of(net, pixels) for net in self.nets], dim=1)


def _features_of(net: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Means of the later stages, pooled features, square roots of the class probabilities."""
    maps = net.bn1(net.conv_stem(pixels))
    means = []
    for number, stage in enumerate(net.blocks):
        maps = stage(maps)
        if number >= _FIRST_STAGE_KEPT:
            means.append(maps.float().mean(dim=(2, 3)))
    pooled = net.global_pool(net.bn2(net.conv_head(maps))).float()
    probabilities = net.classifier(pooled).float().softmax(dim=1)
    return torch.cat([*means, pooled, probabilities.sqrt()], dim=1)


def load_lites(tower: nn.Module, paths: Sequence[Path]) -> None:
    """Published weights, classifiers included, in the order of the networks."""
    assert isinstance(tower, LiteFeatures)
    if len(paths) != len(tower.nets):
        raise BadWeights(f"{len(tower.nets)} nets need as many backbones, not {len(paths)}")
    for net, path in zip(tower.nets, paths, strict=True):
        file = state_file(path)
        stages = [len(stage) for stage in net.blocks]  # type: ignore[arg-type, union-attr]
        load_strictly(net, to_timm_names(load_state(file), stages), file)
        fold_norms(net.eval())


def fold_norms(module: nn.Module) -> None:
    """Fold each batch normalisation into its convolution: the same map in a third of the time.

    These networks are never trained, so the statistics are constants; only the activation remains.
    """
    layers = list(module.named_children())
    for (before, convolution), (after, norm) in pairwise(layers):
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(module, before, fuse_conv_bn_eval(convolution, norm))
            setattr(module, after, norm.act)
    for _, child in module.named_children():
        fold_norms(child)


def class_columns(tower: LiteFeatures) -> list[slice]:
    """Where in a row each network's square roots of class probabilities are."""
    with torch.inference_mode():
        widths = [_features_of(net, torch.zeros(1, 3, 32, 32)).shape[1] for net in tower.nets]
    return [slice(end - _CLASSES, end) for end in accumulate(widths)]


def _build(name: str, config: Config) -> nn.Module:
    """The networks of these sizes."""
    return LiteFeatures(name)


def _describe(name: str, paths: Sequence[Path]) -> tuple[Config, Preprocessing]:
    """No config, since the name is enough, and the preprocessing of the networks' training."""
    return {}, Preprocessing(224, 224, HALF, HALF)


LITE_FEATURES = TowerLibrary(_build, load_lites, _describe)

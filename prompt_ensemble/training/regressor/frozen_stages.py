"""A tower cut in two: first stages that stay as they are, and the rest, which learns.

The outputs of the first stages never change, so they are computed once. That makes fine-tuning on
two cores a matter of minutes; the first stages see edges and textures, which need no training.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from prompt_ensemble.core.errors import BadConfig


def cut_tower(tower: Any, stages: int) -> tuple[nn.Module, nn.Module]:
    """The frozen front and the learning back of a tower; both share the tower's own layers."""
    if stages == 0:
        return nn.Identity(), tower
    blocks = getattr(tower, "blocks", None)
    if not hasattr(tower, "conv_stem") or blocks is None or stages > len(blocks):
        raise BadConfig(
            f"cannot freeze {stages} stages of {type(tower).__name__}; that is for timm's "
            "EfficientNets with as many stages; set frozen_stages to 0"
        )
    front = nn.Sequential(tower.conv_stem, tower.bn1, *blocks[:stages])
    back = nn.ModuleDict({"blocks": nn.ModuleDict(_from_stage(blocks, stages))})
    back["after"] = nn.Sequential(tower.conv_head, tower.bn2, tower.global_pool)
    for parameter in front.parameters():
        parameter.requires_grad_(False)
    return front.eval(), _LearningStages(back)


def _from_stage(blocks: nn.Module, start: int) -> dict[str, nn.Module]:
    """Blocks under the numbers they have in the tower, which the learning rates go by."""
    return {number: block for number, block in blocks.named_children() if int(number) >= start}


class _LearningStages(nn.Module):
    """The learning stages of an EfficientNet, from maps ``(B, C, H, W)`` to ``(B, D)``."""

    def __init__(self, parts: nn.ModuleDict) -> None:
        super().__init__()
        self.parts = parts

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Pooled features."""
        blocks = self.parts["blocks"]
        assert isinstance(blocks, nn.ModuleDict)
        for block in blocks.values():
            maps = block(maps)
        features: torch.Tensor = self.parts["after"](maps)
        return features


def hold_norms(module: nn.Module) -> None:
    """Keep batch statistics as published: those of a small batch are too noisy."""
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.eval()

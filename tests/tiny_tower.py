"""A published image tower of random weights, small enough for a training in a moment."""

from __future__ import annotations

from pathlib import Path

import torch

from prompt_ensemble.models.image_towers.image_tower import TowerSpec, build_tower
from prompt_ensemble.models.weights import WeightRoots

NAME = "test_vit"
"""Of timm; its map has 64 numbers a patch."""


def save_tiny_tower(root: Path) -> WeightRoots:
    """The tower as the backbone ``tower`` below ``root``; roots that find it."""
    (root / "tower").mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    tower = build_tower(TowerSpec("timm", NAME))
    torch.save(tower.state_dict(), root / "tower" / "weights.pth")
    return WeightRoots((root,))

"""Parameter groups: the head learns fast, the tower slower the further a layer is from it."""

from __future__ import annotations

import re
from typing import Any

from torch import nn

from prompt_ensemble.training.regressor.recipe import Recipe

NUMBERED_LAYER = re.compile(r"(?:^|\.)(?:blocks|resblocks|layers|layer|stages)\.(\d+)\.")
"""How timm, open_clip and transformers number the layers of a tower."""


def depth_of(name: str, layers: int) -> int:
    """0 for what comes before the numbered layers, ``layers + 1`` for what comes after."""
    found = NUMBERED_LAYER.search(f"{name}.")
    if found:
        return int(found[1]) + 1
    before = ("embed", "stem", "patch", "cls_token", "pos", "conv1", "class_", "ln_pre", "bn1")
    return 0 if any(part in name for part in before) else layers + 1


def parameter_groups(tower: nn.Module, head: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """Groups for an optimizer, each of one ``part``; norms and biases are never decayed."""
    named = [(name, p) for name, p in tower.named_parameters() if p.requires_grad]
    numbers = [int(m[1]) for name, _ in named if (m := NUMBERED_LAYER.search(f"{name}."))]
    layers = max(numbers, default=-1) + 1
    groups: dict[tuple[str, float, float], list[nn.Parameter]] = {}
    for name, parameter in named:
        rate = recipe.tower_rate * recipe.layer_decay ** (layers + 1 - depth_of(name, layers))
        groups.setdefault(("tower", rate, decay_of(parameter, recipe)), []).append(parameter)
    for parameter in head.parameters():
        key = ("head", recipe.head_rate, decay_of(parameter, recipe))
        groups.setdefault(key, []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "weight_decay": decay, "part": part}
        for (part, rate, decay), parameters in groups.items()
    ]


def decay_of(parameter: nn.Parameter, recipe: Recipe) -> float:
    """Weight decay of one parameter."""
    return recipe.weight_decay if parameter.ndim > 1 else 0.0

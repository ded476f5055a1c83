"""Learning rates by layer: the further from the head the slower."""

from __future__ import annotations

import re
from typing import Any

from torch import nn

from prompt_ensemble.training.regressor.recipe import Recipe

_NUMBERED_LAYER = re.compile(r"(?:^|\.)(?:blocks|resblocks|layers|layer|stages)\.(\d+)\.")
"""How timm, open_clip and transformers number the layers of a tower."""
_BEFORE_LAYERS = ("embed", "stem", "patch", "cls_token", "pos", "conv1", "class_", "ln_pre", "bn1")
"""Parts of the names of parameters that come before the numbered layers."""


def parameter_groups(tower: nn.Module, head: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """Groups for an optimizer, each of one ``part``; norms and biases are never decayed."""
    named = [(name, p) for name, p in tower.named_parameters() if p.requires_grad]
    numbers = [number for name, _ in named if (number := _layer_number(name)) is not None]
    layers = max(numbers, default=-1) + 1
    groups: dict[tuple[str, float, float], list[nn.Parameter]] = {}
    for name, parameter in named:
        rate = recipe.tower_rate * recipe.layer_decay ** (layers + 1 - depth_of(name, layers))
        groups.setdefault(("tower", rate, _weight_decay(parameter, recipe)), []).append(parameter)
    for parameter in head.parameters():
        key = ("head", recipe.head_rate, _weight_decay(parameter, recipe))
        groups.setdefault(key, []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "weight_decay": decay, "part": part}
        for (part, rate, decay), parameters in groups.items()
    ]


def depth_of(name: str, layers: int) -> int:
    """0 for what comes before the numbered layers, ``layers + 1`` for what comes after."""
    number = _layer_number(name)
    if number is not None:
        return number + 1
    return 0 if any(part in name for part in _BEFORE_LAYERS) else layers + 1


def _layer_number(name: str) -> int | None:
    match = _NUMBERED_LAYER.search(f"{name}.")
    return int(match[1]) if match else None


def _weight_decay(parameter: nn.Parameter, recipe: Recipe) -> float:
    return recipe.weight_decay if parameter.ndim > 1 else 0.0

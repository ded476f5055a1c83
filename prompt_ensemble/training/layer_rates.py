"""Learning rates by layer: the further from the head the slower."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from torch import nn

_NUMBERED_LAYER = re.compile(r"(?:^|\.)(?:blocks|resblocks|layers|layer|stages)\.(\d+)\.")
"""How timm, open_clip and transformers number the layers of a tower."""
_BEFORE_LAYERS = ("embed", "stem", "patch", "cls_token", "pos", "conv1", "class_", "ln_pre", "bn1")
"""Parts of the names of parameters that come before the numbered layers."""


def rate_groups(
    tower: nn.Module,
    others: Iterable[nn.Parameter],
    *,
    tower_rate: float,
    rate: float,
    layer_decay: float,
    weight_decay: float,
) -> list[dict[str, Any]]:
    """Groups for an optimizer, each of one ``part``, ``tower`` or ``head``.

    Norms and biases are never decayed. Of the tower, what does not learn is left out.
    """
    named = [(name, p) for name, p in tower.named_parameters() if p.requires_grad]
    numbers = [number for name, _ in named if (number := _layer_number(name)) is not None]
    layers = max(numbers, default=-1) + 1
    groups: dict[tuple[str, float, float], list[nn.Parameter]] = {}

    def put(part: str, parameter: nn.Parameter, its_rate: float) -> None:
        decay = weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((part, its_rate, decay), []).append(parameter)

    for name, parameter in named:
        put("tower", parameter, tower_rate * layer_decay ** (layers + 1 - depth_of(name, layers)))
    for parameter in others:
        put("head", parameter, rate)
    return [
        {"params": parameters, "lr": its_rate, "weight_decay": decay, "part": part}
        for (part, its_rate, decay), parameters in groups.items()
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

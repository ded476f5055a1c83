"""A tower's map of an image: what it saw where, averaged into a few squares."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.models.image_towers.transformers_vision import TransformersVision


def features_in_cells(tower: nn.Module, pixels: torch.Tensor, cells: int) -> torch.Tensor:
    """``(B, D)`` pooled features if ``cells`` is 0, else ``(B, cells² D)``, square after square."""
    if not cells:
        pooled: torch.Tensor = tower(pixels).float()
        return pooled
    squares = adaptive_avg_pool2d(_map_of(tower, pixels).float(), cells)
    return squares.flatten(2).mT.flatten(1)


def _map_of(tower: Any, pixels: torch.Tensor) -> torch.Tensor:
    """The last map ``(B, D, H, W)`` of a tower of timm or transformers."""
    if isinstance(tower, TransformersVision):
        stretch = pixels.shape[-1] != tower.size
        states = tower.eyes(pixels, interpolate_pos_encoding=stretch).last_hidden_state
        return _square(states, first=states.shape[1] - int(states.shape[1] ** 0.5) ** 2)
    if hasattr(tower, "forward_features"):
        states = tower.forward_features(pixels)
        if states.ndim == 3:
            return _square(states, first=getattr(tower, "num_prefix_tokens", 0))
        # A few families of timm keep their maps channels last.
        last = getattr(tower, "output_fmt", "NCHW") == "NHWC"
        return states.permute(0, 3, 1, 2) if last else states  # type: ignore[no-any-return]
    raise BadConfig(
        f"a tower of kind {type(tower).__name__} gives no map of the image; set cells = 0, or take "
        "one of timm or transformers"
    )


def _square(states: torch.Tensor, first: int) -> torch.Tensor:
    """Patch tokens ``(B, N, D)`` from number ``first`` on as a map."""
    patches = states[:, first:]
    side = int(patches.shape[1] ** 0.5)
    if side * side != patches.shape[1]:
        raise BadConfig(
            f"the tower's {patches.shape[1]} patches are no square; give square images, or set "
            "cells = 0"
        )
    square: torch.Tensor = patches.mT.unflatten(2, (side, side))
    return square

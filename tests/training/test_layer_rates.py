"""Learning rates by layer."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn
from training_samples import TINY

from prompt_ensemble.training.layer_rates import depth_of, rate_groups


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("patch_embed.proj.weight", 0),
        ("blocks.0.attn.qkv.weight", 1),
        ("blocks.11.mlp.fc1.bias", 12),
        ("encoder.layers.3.fc1.weight", 4),
        ("transformer.resblocks.5.ln_1.weight", 6),
        ("norm.weight", 13),
    ],
)
def test_layers_are_counted_as_towers_name_them(name: str, depth: int) -> None:
    assert depth_of(name, 12) == depth


def grouped(tower: nn.Module, head: nn.Module) -> list[dict[str, Any]]:
    return rate_groups(
        tower, head.parameters(), tower_rate=TINY.tower_rate, rate=TINY.head_rate,
        layer_decay=TINY.layer_decay, weight_decay=TINY.weight_decay,
    )  # fmt: skip


def test_rates_fall_with_the_distance_from_the_head() -> None:
    class Tower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])

    tower, head = Tower(), nn.Linear(2, 2)
    groups = grouped(tower, head)
    rate = {id(p): group["lr"] for group in groups for p in group["params"]}
    rates = [rate[id(block.weight)] for block in tower.blocks]
    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(rates[1] * TINY.layer_decay)
    assert rate[id(head.weight)] == TINY.head_rate
    assert len(rate) == 8


def test_norms_and_biases_are_not_decayed() -> None:
    groups = grouped(nn.Linear(2, 2), nn.LayerNorm(2))
    for group in groups:
        assert (group["weight_decay"] > 0) == all(p.ndim > 1 for p in group["params"])

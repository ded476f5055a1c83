"""EfficientNet-Lites side by side."""

from __future__ import annotations

import pytest
import torch

from prompt_ensemble.errors import BadWeights
from prompt_ensemble.preprocessing import HALF, Preprocessing
from prompt_ensemble.regression.head import HeadSpec, build_head
from prompt_ensemble.regression.lite_features import LiteFeatures, load_lites
from prompt_ensemble.regression.regressor import Regressor
from prompt_ensemble.regression.saved import RegressorCard, load_regressor, save_regressor
from prompt_ensemble.regression.towers import TowerSpec, build_tower, load_backbones
from prompt_ensemble.weights import WeightRoots

ROOTS = WeightRoots.usual()
TWICE = TowerSpec("lite-features", "0+0", "efficientnet-lite0+efficientnet-lite0")

WIDTH = 40 + 80 + 112 + 192 + 320 + 1280 + 1000
"""Means of five stages, pooled features, classes."""


@pytest.fixture(scope="module")
def tower() -> torch.nn.Module:
    tower = build_tower(TWICE)
    load_backbones(tower, TWICE, ROOTS)
    return tower.eval()


def test_each_net_gives_features_and_the_roots_of_its_class_chances(
    tower: torch.nn.Module,
) -> None:
    with torch.inference_mode():
        rows = tower(torch.rand(2, 3, 64, 64))
    assert rows.shape == (2, 2 * WIDTH)
    assert torch.allclose(
        rows[:, WIDTH - 1000 : WIDTH].square().sum(dim=1), torch.ones(2), atol=1e-5
    )
    assert torch.equal(rows[:, :WIDTH], rows[:, WIDTH:])


def test_only_the_head_is_saved_and_both_nets_come_back(tmp_path, tower) -> None:
    head = HeadSpec("linear", 2 * WIDTH)
    model = Regressor(tower, build_head(head)).eval()
    card = RegressorCard(TWICE, head, Preprocessing(64, 64, HALF, HALF))
    save_regressor(model, card, tmp_path)
    assert (tmp_path / "regressor.safetensors").stat().st_size < 5_000_000
    loaded, _ = load_regressor(tmp_path, ROOTS)
    pixels = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(loaded(pixels), model(pixels), atol=2e-3)


def test_a_backbone_that_is_not_named_is_an_error(tower: LiteFeatures) -> None:
    with pytest.raises(BadWeights, match="2 nets need as many backbones, not 1"):
        load_lites(tower, [ROOTS.find("efficientnet-lite0").path])

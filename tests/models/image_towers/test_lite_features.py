"""Features of several EfficientNet-Lites together."""

from __future__ import annotations

import pytest
import torch

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.images.preprocessing import HALF, Preprocessing
from prompt_ensemble.models.image_towers.image_tower import TowerSpec, build_tower, load_backbones
from prompt_ensemble.models.image_towers.lite_features import (
    LiteFeatures,
    class_columns,
    fold_norms,
    load_lites,
)
from prompt_ensemble.models.regressor.head import HeadSpec, build_head
from prompt_ensemble.models.regressor.network import Regressor
from prompt_ensemble.models.regressor.regressor_folder import (
    RegressorCard,
    load_regressor,
    save_regressor,
)
from prompt_ensemble.models.weights import WeightRoots

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


def test_folding_norms_away_leaves_the_same_map() -> None:
    torch.manual_seed(0)
    plain = LiteFeatures("0").eval()
    for layer in plain.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 2)
    pixels = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        before = plain(pixels)
        fold_norms(plain)
        assert torch.allclose(plain(pixels), before, atol=1e-4)
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in plain.modules())


def test_a_loaded_tower_has_no_norms_left(tower: torch.nn.Module) -> None:
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in tower.modules())


def test_class_columns_hold_the_roots_of_the_class_chances(tower: LiteFeatures) -> None:
    with torch.inference_mode():
        rows = tower(torch.rand(2, 3, 64, 64))
    for place in class_columns(tower):
        assert rows[:, place].shape == (2, 1000)
        assert torch.allclose(rows[:, place].square().sum(dim=1), torch.ones(2), atol=1e-5)


def test_a_batch_gives_what_its_images_give_one_by_one(tower: LiteFeatures) -> None:
    pixels = torch.rand(6, 3, 64, 64)
    with torch.inference_mode():
        alone = torch.cat([tower(picture[None]) for picture in pixels])
        assert torch.allclose(tower(pixels), alone, atol=1e-4)

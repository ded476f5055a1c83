"""The option ``keep_features``: what the tower saw, beside what the head made of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_tower import NAME, save_tiny_tower

from prompt_ensemble.images.preprocessing import HALF, Preprocessing
from prompt_ensemble.members.contract import Batch
from prompt_ensemble.members.regressors.regression_options import RegressionOptions
from prompt_ensemble.members.regressors.regression_predictor import RegressionPredictor
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.image_towers.image_tower import TowerSpec, build_tower, load_backbones
from prompt_ensemble.models.regressor.head import HeadSpec, build_head
from prompt_ensemble.models.regressor.network import Regressor
from prompt_ensemble.models.regressor.regressor_folder import RegressorCard, save_regressor
from prompt_ensemble.models.weights import WeightRoots

CPU = Placement(torch.device("cpu"), torch.float32)
RECIPE = Preprocessing(32, 32, HALF, HALF)
SPEC = TowerSpec("timm", NAME, "tower")
HEAD = HeadSpec("linear", 64)
IDS = ("a", "b")


@pytest.fixture
def roots(tmp_path: Path) -> WeightRoots:
    """Roots that find a regressor ``mine`` and its published tower."""
    found = save_tiny_tower(tmp_path)
    save_regressor(
        Regressor(tower_of(found), build_head(HEAD)).eval(), RegressorCard(SPEC, HEAD, RECIPE),
        tmp_path / "mine",
    )  # fmt: skip
    return found


def tower_of(roots: WeightRoots) -> torch.nn.Module:
    tower = build_tower(SPEC)
    load_backbones(tower, SPEC, roots)
    return tower.eval()


def member(roots: WeightRoots, **options: object) -> RegressionPredictor:
    return RegressionPredictor("mine", RegressionOptions(**options), roots)  # type: ignore[arg-type]


def outputs_of(predictor: RegressionPredictor, pixels: torch.Tensor):  # type: ignore[no-untyped-def]
    with torch.inference_mode():
        return predictor.open(CPU).run(Batch(IDS, (pixels,)))


@pytest.fixture
def pictures() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=generator)


def test_kept_features_are_the_towers_of_the_first_view(
    roots: WeightRoots, pictures: torch.Tensor
) -> None:
    kept = outputs_of(member(roots, keep_features=True, views=("plain", "flip")), pictures)
    with torch.inference_mode():
        expected = tower_of(roots)(RECIPE.normalise(pictures)).numpy()
    assert np.allclose(kept.features, expected, atol=1e-4)


def test_the_embedding_is_the_same_with_and_without(
    roots: WeightRoots, pictures: torch.Tensor
) -> None:
    plain = outputs_of(member(roots), pictures)
    kept = outputs_of(member(roots, keep_features=True), pictures)
    assert plain.features is None
    assert np.allclose(plain.vectors, kept.vectors, atol=1e-5)


def test_stores_from_before_the_option_are_still_found(roots: WeightRoots) -> None:
    assert "keep_features" not in member(roots).identity()
    assert member(roots).identity() != member(roots, keep_features=True).identity()

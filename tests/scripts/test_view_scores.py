"""Several views of an image are judged with the head that was trained on one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from training_samples import encode, write_pairs

from prompt_ensemble.images.preprocessing import HALF, Preprocessing
from prompt_ensemble.models.image_towers.image_tower import TowerSpec
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.feature_head import source_scores
from prompt_ensemble.training.feature_head.feature_head import FeatureHeadRecipe
from prompt_ensemble.training.feature_head.feature_head_run import gather
from scripts.embedded.view_scores import score_views

ROOTS = WeightRoots.usual()
RECIPE = FeatureHeadRecipe(
    TowerSpec("timm", "tf_efficientnet_lite0", "efficientnet-lite0"),
    Preprocessing(64, 64, HALF, HALF), penalty=0.1, class_pull=0.0, damping=0.0,
)  # fmt: skip


def test_the_same_view_twice_changes_nothing_and_another_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_scores, "FEWEST_PROMPTS", 2)
    pairs = write_pairs(tmp_path / "data")
    material = gather(pairs, RECIPE, tmp_path, encode=encode, roots=ROOTS)
    ways = {"plain": ("plain",), "twice": ("plain", "plain"), "norm": ("norm-imagenet",)}
    mean = score_views(material, RECIPE, ways)["mean"]
    assert mean["twice"] == pytest.approx(mean["plain"], abs=1e-6)
    assert abs(mean["norm"] - mean["plain"]) > 1e-4


def test_only_sources_that_are_judged_are_viewed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_scores, "FEWEST_PROMPTS", 2)
    pairs = write_pairs(tmp_path / "data")
    photos = [replace(row, tier="photo") if row.source == "left" else row for row in pairs.rows]
    pairs = replace(pairs, rows=tuple(photos))
    material = gather(pairs, RECIPE, tmp_path / "run", encode=encode, roots=ROOTS)
    scores = score_views(material, RECIPE, {"plain": ("plain",), "flip": ("flip",)})
    assert list(scores["sources"]) == ["right"]

"""A head on frozen features, from a listing of pairs to a saved model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from training_samples import encode, write_pairs

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.core.errors import BadConfig, UnreadableImage
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.data.open_prompts import damping_of
from prompt_ensemble.data.thinning import Thinning, thinned
from prompt_ensemble.images.preprocessing import HALF, Preprocessing
from prompt_ensemble.members.contract import Batch
from prompt_ensemble.models.image_towers.image_tower import TowerSpec
from prompt_ensemble.models.regressor.regressor_folder import load_regressor
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run import store
from prompt_ensemble.training import tower_features
from prompt_ensemble.training.feature_head.feature_head import (
    FeatureHeadRecipe,
    features_of,
    fit_head,
)
from prompt_ensemble.training.feature_head.feature_head_run import (
    gather,
    judge_head,
    run_feature_head,
)
from prompt_ensemble.training.feature_head.ridge_head import RidgeHead
from prompt_ensemble.training.regressor.inputs import Pictures
from prompt_ensemble.training.regressor.recipe import Recipe

ROOTS = WeightRoots.usual()
SMALL = Preprocessing(64, 64, HALF, HALF)
RECIPE = FeatureHeadRecipe(
    TowerSpec("timm", "tf_efficientnet_lite0", "efficientnet-lite0"), SMALL, penalty=0.1
)


@pytest.mark.parametrize("head", ["linear", "kernel"])
def test_the_saved_head_knows_the_pictures_it_learnt_from(
    tmp_path: Path, head: Literal["linear", "kernel"]
) -> None:
    pairs, recipe = write_pairs(tmp_path / "data"), replace(RECIPE, head=head)
    material = gather(pairs, recipe, tmp_path / "run", encode=encode, roots=ROOTS)
    record = run_feature_head(material, recipe, tmp_path / "run", judge=False)
    model, _ = load_regressor(Path(str(record["regressor"])), ROOTS)
    pixels = Pictures([pair.image for pair in pairs.rows], Recipe(size=64)).plain(np.arange(8))
    with torch.inference_mode():
        predicted = unit_rows(model(pixels).numpy())
    similarities = predicted @ encode(pairs.prompts).T
    assert (similarities.argmax(axis=1) // 2 == np.arange(8) // 2).all()


def test_features_are_computed_once(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "data")
    stages: list[str] = []

    @contextmanager
    def noting(stage: str, total: int, unit: str = "image") -> Iterator[object]:
        stages.append(stage)
        yield lambda steps: None

    for _ in range(2):
        material = gather(pairs, RECIPE, tmp_path, encode=encode, roots=ROOTS, progress=noting)
        run_feature_head(material, RECIPE, tmp_path / "run", judge=False)
    assert stages == ["checking images", "features"]


def test_features_go_on_where_a_stopped_run_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = write_pairs(tmp_path / "data")
    rows = np.arange(len(pairs))
    whole = features_of(pairs, rows, RECIPE, ROOTS, tmp_path / "whole")
    monkeypatch.setattr(store, "SHARD_IMAGES", 4)
    monkeypatch.setattr(tower_features, "_BATCH_SIZE", 4)
    run, batches = tower_features._OpenedTower.run, []

    def dies_in_the_second_batch(self: object, batch: Batch) -> Outputs:
        batches.append(batch.image_ids)
        if len(batches) == 2:
            raise KeyboardInterrupt
        return run(self, batch)

    monkeypatch.setattr(tower_features._OpenedTower, "run", dies_in_the_second_batch)
    with pytest.raises(KeyboardInterrupt):
        features_of(pairs, rows, RECIPE, ROOTS, tmp_path / "stopped")
    resumed = features_of(pairs, rows, RECIPE, ROOTS, tmp_path / "stopped")
    assert len(batches) == 2 + len(rows) // 4 - 1
    assert np.allclose(resumed, whole, atol=1e-4)
    assert [path.suffix for path in (tmp_path / "stopped").iterdir()] == [".npy"]


def test_every_image_that_cannot_be_read_is_named_before_any_feature(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "data")
    for pair in pairs.rows[:2]:
        pair.image.write_bytes(b"no picture")
    with pytest.raises(UnreadableImage, match="2 of 8 images to train on cannot be read"):
        features_of(pairs, np.arange(len(pairs)), RECIPE, ROOTS, tmp_path / "cache")


def test_thinning_keeps_few_images_of_a_prompt_and_always_the_same(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "data", images_each=5)
    rows = thinned(pairs, Thinning())
    assert np.array_equal(rows, thinned(pairs, Thinning()))
    assert len(rows) == 4 * 3
    assert len(thinned(pairs, Thinning(images_a=1))) == 4


def test_class_names_pull_and_open_prompts_damp(tmp_path: Path) -> None:
    """With a penalty that lets nothing be learnt, only what was known before remains."""
    recipe = replace(
        RECIPE, tower=TowerSpec("lite-features", "0", "efficientnet-lite0"), penalty=1e9
    )
    pairs = write_pairs(tmp_path / "data")
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("".join(f"prompt {number}\n" for number in range(500)))
    material = gather(pairs, recipe, tmp_path, encode=encode, roots=ROOTS, open_prompts=prompts)
    features, known = material.features(recipe), material.known
    assert known.classes is not None and known.open_prompts is not None

    def slope(recipe: FeatureHeadRecipe) -> np.ndarray:
        head = fit_head(features, material.targets, pairs, material.rows, recipe, known)
        assert isinstance(head, RidgeHead)
        return head.slope

    pulled = known.classes * recipe.class_pull
    undamped = slope(replace(recipe, damping=0))
    assert np.allclose(undamped[-1000:], pulled, atol=1e-6)
    assert np.abs(undamped[:-1000]).max() < 1e-6
    damping = damping_of(known.open_prompts, recipe.damping)
    assert np.allclose(slope(recipe)[-1000:], pulled @ damping, atol=1e-6)


def test_nothing_can_be_judged_without_a_large_source(tmp_path: Path) -> None:
    material = gather(write_pairs(tmp_path / "data"), RECIPE, tmp_path, encode=encode, roots=ROOTS)
    with pytest.raises(BadConfig, match="no source of tier A has 90 distinct prompts"):
        judge_head(material, RECIPE)

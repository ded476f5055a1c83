"""A head on frozen features, from a listing of pairs to a saved model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from training_samples import encode, write_pairs

from prompt_ensemble.embeddings import unit_rows
from prompt_ensemble.regression.saved import load_regressor
from prompt_ensemble.regression.towers import TowerSpec
from prompt_ensemble.training.feature_head import FeatureHeadRecipe
from prompt_ensemble.training.feature_head_run import run_feature_head
from prompt_ensemble.training.inputs import Pictures
from prompt_ensemble.training.recipe import Recipe
from prompt_ensemble.training.thinning import Thinning, thinned
from prompt_ensemble.weights import WeightRoots

ROOTS = WeightRoots.usual()
RECIPE = FeatureHeadRecipe(
    TowerSpec("timm", "tf_efficientnet_lite0", "efficientnet-lite0"), size=64, penalty=0.1
)


def test_the_saved_head_knows_the_pictures_it_learnt_from(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "data")
    record = run_feature_head(
        pairs, RECIPE, tmp_path / "run", encode=encode, roots=ROOTS, judge=False
    )
    model, _ = load_regressor(Path(str(record["regressor"])), ROOTS)
    pixels = Pictures([pair.image for pair in pairs.rows], Recipe(size=64)).plain(np.arange(8))
    with torch.inference_mode():
        predicted = unit_rows(model(pixels).numpy())
    likeness = predicted @ encode(pairs.prompts).T
    assert (likeness.argmax(axis=1) // 2 == np.arange(8) // 2).all()


def test_features_are_computed_once(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "data")
    stages: list[str] = []

    @contextmanager
    def noting(stage: str, total: int, unit: str = "image") -> Iterator[object]:
        stages.append(stage)
        yield lambda steps: None

    for _ in range(2):
        run_feature_head(
            pairs, RECIPE, tmp_path / "run", encode=encode, roots=ROOTS, judge=False,
            progress=noting,
        )  # fmt: skip
    assert stages == ["computing features"]


def test_thinning_keeps_few_images_of_a_prompt_and_always_the_same(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "data", images_each=5)
    rows = thinned(pairs, Thinning())
    assert np.array_equal(rows, thinned(pairs, Thinning()))
    assert len(rows) == 4 * 3
    assert len(thinned(pairs, Thinning(images_a=1))) == 4

"""What is tuned on comes from heads that never saw the source they predict."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training_samples import encode, write_pairs

from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.images.preprocessing import HALF, Preprocessing
from prompt_ensemble.members.phrases.phrase_predictor import PhraseOptions
from prompt_ensemble.models.image_towers.image_tower import TowerSpec
from prompt_ensemble.models.sentence_encoder import SentenceEncoder
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.feature_head import source_scores
from prompt_ensemble.training.feature_head.feature_head import FeatureHeadRecipe
from prompt_ensemble.training.feature_head.feature_head_run import Material, gather
from scripts.embedded.left_out import left_out, near_phrases, write_left_out

ROOTS = WeightRoots.usual()
RECIPE = FeatureHeadRecipe(
    TowerSpec("timm", "tf_efficientnet_lite0", "efficientnet-lite0"),
    Preprocessing(64, 64, HALF, HALF), penalty=0.1, class_pull=0.0, damping=0.0,
)  # fmt: skip


@pytest.fixture
def material(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Material:
    """Two sources of two prompts each."""
    monkeypatch.setattr(source_scores, "FEWEST_PROMPTS", 2)
    pairs = write_pairs(tmp_path / "data")
    return gather(pairs, RECIPE, tmp_path, encode=encode, roots=ROOTS)


def test_targets_of_a_source_do_not_change_its_predictions(material: Material) -> None:
    predicted = left_out(material, RECIPE)
    left = np.array([row.source == "left" for row in material.pairs.rows])[material.rows]
    strange = material.targets.copy()
    strange[left] = encode([f"strange {row}" for row in range(left.sum())])
    other = left_out(replace(material, targets=strange), RECIPE)
    names = [f"row{row:06}" for row in material.rows[left].tolist()]
    rest = [f"row{row:06}" for row in material.rows[~left].tolist()]
    assert np.allclose(predicted.take(names).vectors, other.take(names).vectors, atol=1e-5)
    assert not np.allclose(predicted.take(rest).vectors, other.take(rest).vectors, atol=1e-2)


def test_files_have_a_prompt_for_every_prediction(material: Material, tmp_path: Path) -> None:
    members = {"lites": left_out(material, RECIPE)}
    (file,) = write_left_out(members, material.pairs, tmp_path / "left_out")
    with (tmp_path / "left_out" / "prompts.csv").open() as table:
        prompts = {row["imgId"]: row["prompt"] for row in csv.DictReader(table)}
    assert set(prompts) == set(Embeddings.load(file).image_ids)
    assert prompts["row000000"] == "a red wall"


def test_phrases_near_to_a_prediction_are_like_it() -> None:
    vectors = SentenceEncoder().encode(["cubism", "watercolor painting"])
    few = PhraseOptions(vectors_from="lites", banks=("movements",))
    blended = near_phrases(Embeddings(("a", "b"), vectors), ROOTS, few).vectors
    cosines = blended @ vectors.T
    assert cosines[0, 0] > cosines[0, 1] and cosines[1, 1] > cosines[1, 0]

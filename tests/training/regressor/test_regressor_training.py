"""Training from pairs to a saved model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training_samples import TINY, encode, write_pairs

from prompt_ensemble.core.errors import BadConfig, BadWeights
from prompt_ensemble.models.regressor.regressor_folder import load_regressor
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.held_out import HeldOut
from prompt_ensemble.training.regressor.recipe import Recipe
from prompt_ensemble.training.regressor.regressor_training import train_regressor

NOTHING_HELD_OUT = HeldOut(share=0)


def train(folder: Path, out: str, recipe: Recipe = TINY, **more: object) -> dict[str, object]:
    pairs = write_pairs(folder / "data")
    options = {"held_out": NOTHING_HELD_OUT, "checkpoint_every": 2, "cpu": True} | more
    return train_regressor(
        pairs, recipe, folder / out, encode=encode, roots=WeightRoots(()), **options
    )


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "regressor" / "regressor.safetensors")


@pytest.mark.parametrize("frozen_stages", [0, 4])
def test_interrupted_and_resumed_is_the_same(tmp_path: Path, frozen_stages: int) -> None:
    recipe = replace(TINY, frozen_stages=frozen_stages)
    train(tmp_path, "whole", recipe)
    train(tmp_path, "cut", recipe, stop_after=3)
    assert not (tmp_path / "cut" / "regressor").exists()
    train(tmp_path, "cut", recipe)
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    notes = [tmp_path / run / "metrics.jsonl" for run in ("whole", "cut")]
    assert notes[0].read_text() == notes[1].read_text()


def test_saved_model_loads(tmp_path: Path) -> None:
    train(tmp_path, "run")
    model, card = load_regressor(tmp_path / "run" / "regressor", WeightRoots(()))
    assert card.training["pairs"] == 8
    with torch.inference_mode():
        assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 384)


def test_another_recipe_does_not_resume(tmp_path: Path) -> None:
    train(tmp_path, "run", stop_after=2)
    with pytest.raises(BadConfig, match="another recipe"):
        train(tmp_path, "run", replace(TINY, head_rate=1e-4))


def test_score_of_held_out_pairs_is_in_the_record(tmp_path: Path) -> None:
    record = train(tmp_path, "run", held_out=HeldOut(sources=("left",)))
    noted = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["score"] == noted["score"]
    assert (tmp_path / "run" / "metrics.svg").read_text().startswith("<svg")


def test_a_network_of_another_kind_than_its_backbone_is_named(tmp_path: Path) -> None:
    recipe = replace(TINY, tower="vit_tiny_patch16_224", backbone="efficientnet-lite0")
    with pytest.raises(BadWeights, match="holds an EfficientNet, the network is a VisionTransf"):
        train_regressor(
            write_pairs(tmp_path / "data"), recipe, tmp_path / "run", encode=encode,
            roots=WeightRoots.usual(), held_out=NOTHING_HELD_OUT, cpu=True,
        )  # fmt: skip


def test_an_unknown_network_names_the_near_ones_only(tmp_path: Path) -> None:
    with pytest.raises(BadWeights, match="near ones: ") as caught:
        train(tmp_path, "run", replace(TINY, tower="vit_tiny"))
    assert len(str(caught.value)) < 300

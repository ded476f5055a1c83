"""Saved regressors: what is written is what is read."""

import json

import pytest
import torch

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.images.preprocessing import HALF, Preprocessing
from prompt_ensemble.models.image_towers.image_tower import TowerSpec, build_tower, load_backbones
from prompt_ensemble.models.regressor.head import HeadSpec, build_head
from prompt_ensemble.models.regressor.network import Regressor
from prompt_ensemble.models.regressor.regressor_folder import (
    RegressorCard,
    load_regressor,
    save_regressor,
)
from prompt_ensemble.models.weights import WeightRoots

ROOTS = WeightRoots.usual()
PIXELS = torch.rand(2, 3, 32, 32)
RECIPE = Preprocessing(32, 32, HALF, HALF)


def small_regressor(head: HeadSpec, backbone: str | None = None):
    torch.manual_seed(0)
    name = "tf_efficientnet_lite0" if backbone else "test_efficientnet"
    spec = TowerSpec("timm", name, backbone)
    tower = build_tower(spec)
    load_backbones(tower, spec, ROOTS)
    model = Regressor(tower, build_head(head)).eval()
    return model, RegressorCard(spec, head, RECIPE, {"score": 0.5})


def outputs(model):
    with torch.inference_mode():
        return model(PIXELS)


@pytest.mark.parametrize(
    "head",
    [HeadSpec("linear", 256), HeadSpec("large", 256, 64), HeadSpec("mlp", 256, 64, 0.5)],
    ids=lambda head: head.kind,
)
def test_every_kind_of_head_survives_saving(tmp_path, head):
    model, card = small_regressor(head)
    save_regressor(model, card, tmp_path)
    loaded, read = load_regressor(tmp_path, ROOTS)
    assert read == card
    assert torch.allclose(outputs(loaded), outputs(model), atol=5e-3)


def test_a_published_tower_is_not_written_again(tmp_path):
    model, card = small_regressor(HeadSpec("linear", 1280), "efficientnet-lite0")
    save_regressor(model, card, tmp_path)
    assert (tmp_path / "regressor.safetensors").stat().st_size < 2**20
    loaded, _ = load_regressor(tmp_path, ROOTS)
    assert torch.allclose(outputs(loaded), outputs(model), atol=5e-3)


def test_the_same_regressor_gives_the_same_bytes(tmp_path):
    for name in "ab":
        save_regressor(*small_regressor(HeadSpec("linear", 256)), tmp_path / name)
    first, second = ((tmp_path / name / "regressor.safetensors").read_bytes() for name in "ab")
    assert first == second


def test_weights_of_another_shape_are_named(tmp_path):
    model, card = small_regressor(HeadSpec("linear", 256))
    save_regressor(model, card, tmp_path)
    description = json.loads((tmp_path / "regressor.json").read_text())
    description["head"]["inputs"] = 128
    (tmp_path / "regressor.json").write_text(json.dumps(description))
    with pytest.raises(BadWeights, match=r"head\.weight has the shape \(384, 256\)"):
        load_regressor(tmp_path, ROOTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format 2, expected 1"),
        ({"head": {"kind": "linear"}}, "'inputs' is missing"),
        ({"tower": None}, "'tower' is None"),
        ({"colour": 1}, "unknown key 'colour'"),
        ({"tower": {"library": "timm", "name": "no_such_net"}}, "no model 'no_such_net'"),
        ({"head": {"kind": "round", "inputs": 256}}, "head kind 'round'"),
    ],
)
def test_a_description_that_makes_no_sense_is_one_clear_error(tmp_path, change, message):
    save_regressor(*small_regressor(HeadSpec("linear", 256)), tmp_path)
    path = tmp_path / "regressor.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(BadWeights, match=message):
        load_regressor(tmp_path, ROOTS)

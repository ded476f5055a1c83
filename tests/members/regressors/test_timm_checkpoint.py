"""Plain state dicts of timm networks, as the public kernel has them."""

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from prompt_ensemble.core.errors import BadConfig, BadWeights
from prompt_ensemble.images.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from prompt_ensemble.members.contract import Batch
from prompt_ensemble.members.regressors.regression_options import RegressionOptions
from prompt_ensemble.members.regressors.regression_predictor import RegressionPredictor
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.models.weights import WeightRoots

KERNEL = {"resize": "squash", "interpolation": "bilinear", "mean": IMAGENET_MEAN,
          "std": IMAGENET_STD}  # fmt: skip


def network():
    torch.manual_seed(0)
    return timm.create_model("test_vit", num_classes=384).eval()


def member(folder, **options) -> RegressionPredictor:
    return RegressionPredictor("test_vit.pth", RegressionOptions(**options), WeightRoots((folder,)))


def rows(predictor, pictures) -> np.ndarray:
    opened = predictor.open(choose_placement("cpu"))
    prepared = [opened.prepare(picture) for picture in pictures]
    views = tuple(torch.stack(view) for view in zip(*prepared, strict=True))
    with torch.inference_mode():
        return opened.run(Batch(tuple(map(str, range(len(pictures)))), views)).vectors


@pytest.fixture
def pictures():
    random = np.random.default_rng(0)
    return [Image.fromarray(random.integers(0, 256, (64, 64, 3), dtype=np.uint8)) for _ in range(2)]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": {f"module.{name}": tensor for name, tensor in state.items()}},
        lambda state: {f"_orig_mod.module.{name}": tensor for name, tensor in state.items()},
    ],
    ids=["plain", "nested", "in parallel", "compiled"],
)
def test_the_network_answers_as_it_did_in_training(tmp_path, pictures, wrap):
    torch.save(wrap(network().state_dict()), tmp_path / "test_vit.pth")
    side = 160  # timm's default for this network
    resized = [np.array(p.resize((side, side), Image.Resampling.BILINEAR)) for p in pictures]
    pixels = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2) / 255
    pixels = (pixels - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(IMAGENET_STD).view(
        3, 1, 1
    )
    with torch.inference_mode():
        expected = network()(pixels).numpy()
    assert np.allclose(rows(member(tmp_path, **KERNEL), pictures), expected, atol=1e-4)


def test_two_passes_are_averaged_as_the_network_left_them(tmp_path, pictures):
    torch.save(network().state_dict(), tmp_path / "test_vit.pth")
    plain, flipped, both = (
        rows(member(tmp_path, views=views, average="raw", **KERNEL), pictures)
        for views in (("plain",), ("flip",), ("plain", "flip"))
    )
    assert np.allclose(both, (plain + flipped) / 2, atol=1e-5)


def test_the_architecture_can_be_named(tmp_path, pictures):
    torch.save(network().state_dict(), tmp_path / "best.pth")
    named = RegressionPredictor(
        "best.pth", RegressionOptions(architecture="test_vit"), WeightRoots((tmp_path,))
    )
    assert rows(named, pictures).shape == (2, 384)


def test_a_network_timm_does_not_know_is_one_clear_error(tmp_path):
    torch.save(network().state_dict(), tmp_path / "test_vit.pth")
    with pytest.raises(BadWeights, match="timm has no model 'test_vti'; near ones: test_vit"):
        member(tmp_path, architecture="test_vti").open(choose_placement("cpu"))


def test_tensors_that_do_not_fit_are_named_in_one_line(tmp_path):
    state = network().state_dict()
    state["head.extra"] = state.pop("head.bias")
    torch.save(state, tmp_path / "test_vit.pth")
    with pytest.raises(BadWeights) as caught:
        member(tmp_path).open(choose_placement("cpu"))
    assert "1 missing (head.bias); 1 unexpected (head.extra)" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_saved_regressor_refuses_options_of_a_state_dict():
    with pytest.raises(BadConfig, match="option 'mean' is for plain state dicts"):
        RegressionPredictor(
            "embedded-lite0", RegressionOptions(mean=IMAGENET_MEAN), WeightRoots.usual()
        )


def test_views_and_options_of_the_network_change_its_identity(tmp_path):
    torch.save(network().state_dict(), tmp_path / "test_vit.pth")
    plain = member(tmp_path).identity()
    assert member(tmp_path, views=("flip",)).identity() != plain
    assert member(tmp_path, image_size=64).identity() != plain
    assert member(tmp_path, architecture="test_vit").identity() == plain

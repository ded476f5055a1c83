"""Pixels as torchvision would make them."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from prompt_ensemble.images.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing


def picture(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (50, 51), (224, 224), (33, 240)])
def test_shortening_and_cropping_equal_torchvisions(size):
    recipe = Preprocessing(32, 32, IMAGENET_MEAN, IMAGENET_STD, "bicubic", resize_shortest=36)
    theirs = v2.Compose(
        [
            v2.Resize(36, v2.InterpolationMode.BICUBIC),
            v2.CenterCrop(32),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )
    image = picture(*size)
    ours = recipe.normalise(recipe.prepare(image))
    assert torch.allclose(ours, theirs(image), atol=1e-6)


def test_squashing_keeps_no_aspect():
    recipe = Preprocessing(24, 40, (0.5,) * 3, (0.5,) * 3)
    assert recipe.prepare(picture(100, 10)).shape == (3, 24, 40)


def test_normalised_batches_equal_normalised_images():
    recipe = Preprocessing(8, 8, IMAGENET_MEAN, IMAGENET_STD)
    pixels = torch.stack([recipe.prepare(picture(9, 9)), recipe.prepare(picture(5, 20))])
    alone = torch.stack([recipe.normalise(one) for one in pixels])
    assert torch.equal(recipe.normalise(pixels), alone)

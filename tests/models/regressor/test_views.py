"""Views of an image, by what each does to pixels."""

import numpy as np
import pytest
import torch
from PIL import Image

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.images.preprocessing import HALF, IMAGENET_MEAN, Preprocessing
from prompt_ensemble.members.contract import Batch
from prompt_ensemble.members.regressors.opened_regressor import OpenedRegressor
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.models.regressor.network import Regressor
from prompt_ensemble.models.regressor.views import View, averaged, parse_views

OWN = Preprocessing(32, 32, HALF, HALF)
PICTURES = [
    Image.fromarray(np.random.default_rng(n).integers(0, 256, (40, 48, 3), dtype=np.uint8))
    for n in range(3)
]


def opened(views, average="unit") -> OpenedRegressor:
    """A network whose rows depend on left and right and on the size of its input."""
    torch.manual_seed(0)
    tower = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten())
    model = Regressor(tower, torch.nn.Linear(48, 384))
    return OpenedRegressor(model, OWN, choose_placement("cpu"), parse_views(views), average)


def rows(views, average="unit") -> np.ndarray:
    regressor = opened(views, average)
    prepared = [regressor.prepare(picture) for picture in PICTURES]
    batch = tuple(torch.stack(view) for view in zip(*prepared, strict=True))
    with torch.inference_mode():
        return regressor.run(Batch(("a", "b", "c"), batch)).vectors


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_flip_is_the_mirrored_picture():
    mirrored = [picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for picture in PICTURES]
    regressor = opened(["plain"])
    batch = torch.stack([regressor.prepare(picture)[0] for picture in mirrored])
    with torch.inference_mode():
        expected = regressor.run(Batch(("a", "b", "c"), (batch,))).vectors
    assert np.allclose(rows(["flip"]), expected, atol=2e-2)
    assert not np.allclose(rows(["plain"]), expected, atol=2e-2)


def test_rows_of_views_count_alike_whatever_their_length():
    plain, flip = rows(["plain"]), rows(["flip"])
    assert np.allclose(rows(["plain", "flip"]), (unit(plain) + unit(flip)) / 2, atol=1e-6)


def test_raw_rows_are_averaged_as_they_are():
    plain, flip = rows(["plain"]), rows(["flip"])
    assert np.allclose(rows(["plain", "flip"], "raw"), (plain + flip) / 2, atol=1e-6)


def test_views_at_one_size_share_one_resize():
    assert len(opened(["plain", "flip", "five-crop"]).prepare(PICTURES[0])) == 1
    sizes = [view.shape[-1] for view in opened(["plain", "size-48+flip"]).prepare(PICTURES[0])]
    assert sizes == [32, 48]


def test_five_crops_are_five_views():
    views = parse_views(["five-crop+flip"])
    assert len(views) == len({view.crop for view in views}) == 5
    assert all(view.flip for view in views)


def test_a_crop_shows_its_corner():
    pixels = torch.zeros(1, 3, 32, 32)
    pixels[..., :4, :4] = 1
    (corner,) = parse_views(["crop-top-left"])
    (other,) = parse_views(["crop-bottom-right"])
    assert corner.of(pixels).sum() > pixels.sum()
    assert other.of(pixels).abs().sum() < 1e-4


def test_another_normalisation_is_one_view_and_not_the_next():
    plain, other = (view.recipe(OWN) for view in parse_views(["plain", "norm-imagenet"]))
    assert plain == OWN
    assert other.mean == IMAGENET_MEAN


def test_another_size_keeps_the_crops_share():
    recipe = Preprocessing(224, 224, HALF, HALF, resize_shortest=256)
    assert View(size=448).recipe(recipe).resize_shortest == 512


def test_the_only_view_is_left_as_it_is():
    row = torch.tensor([[3.0, 4.0]])
    assert torch.equal(averaged([row], "unit"), row)


@pytest.mark.parametrize("views", [[], ["flop"], ["size-"], ["size-0"], ["plain+turn"]])
def test_views_that_make_no_sense_are_one_clear_error(views):
    with pytest.raises(BadConfig, match=r"unknown view|views is empty"):
        parse_views(views)

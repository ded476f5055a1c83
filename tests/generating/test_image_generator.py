"""An image is the same to the bit whatever is drawn beside it."""

import numpy as np
import pytest
import torch
from tiny_diffusion import save_flagging_diffusion

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.generating.drawings import drawings_of
from prompt_ensemble.generating.image_generator import open_generator
from prompt_ensemble.generating.image_model import ImageModel
from prompt_ensemble.generating.recipe import GenerationRecipe
from prompt_ensemble.models.device import choose_placement

PROMPTS = ["a cat", "a castle in fog", "portrait of a pilot", "rain", "a dog, 8k", "x", "y z"]


def opened(folder, **choices):
    recipe = GenerationRecipe(**{"steps": 3, "batch_size": 3, **choices})
    placement = choose_placement("cpu", recipe.precision)
    return open_generator(ImageModel(folder), recipe, placement)


def drawings(seed=0):
    return list(drawings_of(PROMPTS, seed, 1))


def pixels(drawn):
    return [np.asarray(one.picture) for one in drawn]


@pytest.fixture
def two_threads():
    """Rows of a batch of three are then split between threads, and differ by where they are."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("scheduler", ["", "EulerAncestralDiscreteScheduler"])
def test_neighbours_change_nothing(diffusion_folder, scheduler):
    require_independence(opened(diffusion_folder, scheduler=scheduler))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_nor_do_they_where_threads_share_a_row(diffusion_folder, precision, two_threads):
    require_independence(opened(diffusion_folder, precision=precision))


def require_independence(generator):
    together = pixels(generator.draw(drawings()))
    for chosen in ([4], [6, 1], [5, 0, 1, 3], [3, 4, 5]):
        alone = pixels(generator.draw([drawings()[number] for number in chosen]))
        for number, picture in zip(chosen, alone, strict=True):
            np.testing.assert_array_equal(picture, together[number])


def test_another_size_of_batch_changes_hardly_a_byte(diffusion_folder):
    three = np.stack(pixels(opened(diffusion_folder).draw(drawings())))
    one = np.stack(pixels(opened(diffusion_folder, batch_size=1).draw(drawings())))
    differences = np.abs(three.astype(int) - one.astype(int))
    assert differences.max() <= 1
    assert (differences > 0).mean() < 0.001


def test_images_differ_by_prompt_seed_and_every_choice(diffusion_folder):
    (plain,) = pixels(opened(diffusion_folder).draw(drawings()[:1]))
    (another,) = pixels(opened(diffusion_folder).draw(drawings(seed=1)[:1]))
    assert (plain != another).mean() > 0.3
    for choices in (
        {"guidance": 3.0}, {"steps": 4}, {"negative_prompt": "rain"},
        {"scheduler": "EulerDiscreteScheduler"},
    ):  # fmt: skip
        (changed,) = pixels(opened(diffusion_folder, **choices).draw(drawings()[:1]))
        assert (changed != plain).any(), choices


def test_the_size_is_as_asked_for(diffusion_folder):
    (drawn,) = opened(diffusion_folder, width=48, height=32).draw(drawings()[:1])
    assert drawn.picture.size == (48, 32)


def test_slices_save_memory_and_change_hardly_a_byte(diffusion_folder):
    whole = np.stack(pixels(opened(diffusion_folder).draw(drawings()))).astype(int)
    sliced = opened(diffusion_folder, attention_slicing=True).draw(drawings())
    assert np.abs(np.stack(pixels(sliced)) - whole).max() <= 1


def test_the_checker_flags_pictures_wherever_they_stand(diffusion_folder, tmp_path):
    (third,) = opened(diffusion_folder).draw(drawings()[2:3])
    generator = opened(save_flagging_diffusion(tmp_path, third.picture))
    flagged = [one.picture is None for one in generator.draw(drawings())]
    assert flagged == [False, False, True, False, False, False, False]
    again = generator.draw(drawings()[::-1])
    assert [one.picture is None for one in again] == flagged[::-1]


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        ({"scheduler": "EulerDiscretScheduler"}, "did you mean 'EulerDiscreteScheduler'"),
        ({"scheduler": "DPMSolverSDEScheduler"}, "depend on their neighbours"),
        ({"height": 33, "width": 33}, "refuses the recipe"),
    ],
)
def test_a_recipe_that_does_not_fit_the_model(diffusion_folder, choices, reason):
    with pytest.raises(BadConfig, match=reason):
        opened(diffusion_folder, **choices).draw(drawings()[:1])

"""Recipes that make no sense are refused before anything is loaded."""

import pytest

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.generating.recipe import GenerationRecipe
from prompt_ensemble.training.recipe_files import read_recipe


@pytest.mark.parametrize(
    ("key", "value"),
    [("steps", 0), ("batch_size", 0), ("images_per_prompt", -1), ("height", 4), ("width", 10**6),
     ("guidance", -1), ("seed", -1), ("height", 64), ("precision", "fp8"), ("unknown", 1)],
)  # fmt: skip
def test_a_value_that_cannot_be(key, value):
    with pytest.raises(BadConfig, match=key):
        read_recipe(GenerationRecipe, None, {key: value})


def test_a_file_and_settings_over_it(tmp_path):
    file = tmp_path / "recipe.toml"
    file.write_text('steps = 20\nscheduler = "EulerDiscreteScheduler"\n')
    recipe = read_recipe(GenerationRecipe, file, {"steps": 30, "height": 768, "width": 512})
    assert (recipe.steps, recipe.scheduler, recipe.height, recipe.width) == (
        30, "EulerDiscreteScheduler", 768, 512,
    )  # fmt: skip

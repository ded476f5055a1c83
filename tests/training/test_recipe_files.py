"""Recipes as users write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.training.recipe_files import read_recipe
from prompt_ensemble.training.regressor.recipe import Recipe


def test_recipe_from_a_file_and_settings(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text("steps = 12\nhidden = 8\n")
    recipe = read_recipe(Recipe, file, {"steps": 20})
    assert (recipe.steps, recipe.hidden) == (20, 8)
    with pytest.raises(BadConfig, match="did you mean 'steps'"):
        read_recipe(Recipe, None, {"stepz": 1})

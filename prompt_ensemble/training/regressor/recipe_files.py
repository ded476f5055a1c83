"""Recipes as users write them: a TOML file of keys, and single keys over it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from prompt_ensemble.core.records import read_toml
from prompt_ensemble.core.typed_tables import from_table
from prompt_ensemble.training.regressor.recipe import Recipe


def read_recipe(file: Path | None, settings: Mapping[str, object]) -> Recipe:
    """A recipe from a file, ``settings`` over it, the rest as usual."""
    table = read_toml(file, "a recipe, keys in TOML") if file else {}
    return from_table(Recipe, {**table, **settings}, str(file or "recipe"))

"""Recipes as users write them: a TOML file of keys, and single keys over it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from prompt_ensemble.config import from_table
from prompt_ensemble.errors import BadConfig
from prompt_ensemble.training.recipe import Recipe


def read_recipe(file: Path | None, settings: Mapping[str, object]) -> Recipe:
    """A recipe from a file, ``settings`` over it, the rest as usual."""
    table = read_table(file) if file else {}
    return from_table(Recipe, {**table, **settings}, str(file or "recipe"))


def read_table(file: Path) -> dict[str, object]:
    """The keys of a TOML file."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadConfig(f"recipe {file} cannot be read ({error}); expected TOML keys") from error

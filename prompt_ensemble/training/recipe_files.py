"""Recipes out of TOML files, whatever they are recipes of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from prompt_ensemble.core.records import read_toml
from prompt_ensemble.core.typed_tables import from_table

Kind = TypeVar("Kind")


def read_recipe(kind: type[Kind], file: Path | None, settings: Mapping[str, object]) -> Kind:
    """A recipe from a TOML file, single ``settings`` over it, the rest as usual."""
    table = read_toml(file, "a recipe, keys in TOML") if file else {}
    return from_table(kind, {**table, **settings}, str(file or "recipe"))

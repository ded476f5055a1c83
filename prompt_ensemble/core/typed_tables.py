"""Tables of keys and values, from TOML, JSON or a command line, as checked frozen dataclasses."""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from prompt_ensemble.core.errors import BadConfig, nearest_name

Table = TypeVar("Table")


def from_table(kind: type[Table], table: Mapping[str, Any], where: str) -> Table:
    """A dataclass filled from a table: unknown, missing and mistyped keys are errors."""
    if not isinstance(table, Mapping):
        raise BadConfig(f"{where} is {table!r}; expected a table of keys and values")
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    for key in table:
        if key not in known:
            raise BadConfig(f"{where}: unknown key {key!r}; {nearest_name(key, list(known))}")
    for name, wanted in known.items():
        required = wanted.default is MISSING and wanted.default_factory is MISSING
        if required and name not in table:
            raise BadConfig(f"{where}: {name!r} is missing")
    values = {key: fit(value, hints[key], f"{where}: {key!r}") for key, value in table.items()}
    return kind(**values)


def fit(value: Any, wanted: Any, where: str) -> Any:
    """The value as the annotated type: lists become tuples and whole numbers floats."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (types.UnionType, typing.Union):
        choices = [choice for choice in arguments if choice is not types.NoneType]
        return None if value is None else fit(value, choices[0], where)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(fit(item, arguments[0], where) for item in value)
    if origin is typing.Literal:
        if value not in arguments:
            raise BadConfig(f"{where} is {value!r}; {nearest_name(str(value), list(arguments))}")
        return value
    plain = origin or wanted
    if plain is float and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > sys.float_info.max:
            raise BadConfig(f"{where} is a number of {len(str(abs(value)))} digits; too large")
        return float(value)
    if wanted is Any or (isinstance(plain, type) and is_a(value, plain)):
        return value
    expected = getattr(wanted, "__name__", str(wanted))
    raise BadConfig(f"{where} is {value!r}, a {type(value).__name__}; expected {expected}")


def is_a(value: Any, plain: type) -> bool:
    """Whether a TOML value is of a plain type; true and false are no numbers."""
    return isinstance(value, plain) and (plain is bool or not isinstance(value, bool))

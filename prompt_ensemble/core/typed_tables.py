"""Tables of keys and values, from TOML, JSON or a command line, as checked frozen dataclasses.

Every key must be a field of the dataclass and every value of the field's type; dataclasses may hold
others, alone, in tuples and in mappings. cattrs does not make this shorter (docs/experiments.md).
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar

from prompt_ensemble.core.errors import BadConfig, PromptEnsembleError, nearest_name

Table = TypeVar("Table")


def from_table(
    kind: type[Table],
    table: Mapping[str, Any],
    where: str,
    fault: type[PromptEnsembleError] = BadConfig,
) -> Table:
    """A dataclass filled from a table; unknown, missing and mistyped keys are a ``fault``."""
    if not isinstance(table, Mapping):
        raise fault(f"{where} is {table!r}; expected a table of keys and values")
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    for key in table:
        if key not in known:
            raise fault(f"{where}: unknown key {key!r}; {nearest_name(key, list(known))}")
    for name, field in known.items():
        required = field.default is MISSING and field.default_factory is MISSING
        if required and name not in table:
            raise fault(f"{where}: {name!r} is missing")
    values = {
        key: _fit(value, hints[key], f"{where}: {key!r}", fault) for key, value in table.items()
    }
    return kind(**values)


def _fit(value: Any, wanted: Any, where: str, fault: type[PromptEnsembleError]) -> Any:
    """The value as the annotated type: lists become tuples, tables dataclasses, integers floats."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (types.UnionType, typing.Union):
        choices = [choice for choice in arguments if choice is not types.NoneType]
        return None if value is None else _fit(value, choices[0], where, fault)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_fit(item, arguments[0], where, fault) for item in value)
    if origin is Mapping and isinstance(value, Mapping):
        return {
            key: _fit(item, arguments[1], f"{where}, {key!r}", fault) for key, item in value.items()
        }
    if is_dataclass(wanted) and not isinstance(value, wanted):  # type: ignore[arg-type]
        return from_table(wanted, value, where, fault)  # type: ignore[arg-type]
    if origin is typing.Literal:
        if value not in arguments:
            raise fault(f"{where} is {value!r}; {nearest_name(str(value), list(arguments))}")
        return value
    plain = origin or wanted
    if plain is float and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > sys.float_info.max:
            raise fault(f"{where} is a number of {len(str(abs(value)))} digits; too large")
        return float(value)
    if wanted is Any or (isinstance(plain, type) and _is_a(value, plain)):
        return value
    expected = getattr(wanted, "__name__", str(wanted))
    raise fault(f"{where} is {value!r}, a {type(value).__name__}; expected {expected}")


def _is_a(value: Any, plain: type) -> bool:
    """Whether a TOML value is of a plain type; true and false are no numbers."""
    return isinstance(value, plain) and (plain is bool or not isinstance(value, bool))

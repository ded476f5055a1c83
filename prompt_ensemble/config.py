"""Presets: a TOML file says which members look at the images and how they are blended.

Every key is checked against a dataclass, so that a slip of the pen is an error with the near
match and never an option that is silently ignored.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from prompt_ensemble.errors import BadConfig, nearest_name
from prompt_ensemble.records import MOST_RECORD_BYTES, parse_toml, reading

LONGEST_NAME = 100
"""Letters of a member's name, after which folders and files are named."""
Table = TypeVar("Table")


@dataclass(frozen=True)
class MemberConfig:
    """One member: a model kind, its weights, its share in the blend."""

    name: str
    model: str
    weights: str = ""
    weight: float = 1.0
    """Share in the blend; 0 for a member that runs only because another needs its findings."""
    batch_size: int = 32
    options: Mapping[str, Any] = field(default_factory=dict)
    """Checked by the model kind's own ``Options``."""


@dataclass(frozen=True)
class RunConfig:
    """A whole ensemble."""

    name: str
    members: tuple[MemberConfig, ...]
    description: str = ""
    prior: str = ""
    """Weights name of the embedding that stands in for an image nobody can read."""
    prior_weight: float = 0.0
    """Share of the prior in every blend, beside the members' weights."""
    weights_from: str = ""
    """Where the weights come from; the preset itself if empty."""
    gate: Mapping[str, Any] = field(default_factory=dict)
    """Weights of each image's own, as a tuned blend may hold them."""
    otherwise: str = ""
    """The preset that takes this one's place where weights of it are missing."""

    @property
    def blend_weights(self) -> dict[str, float]:
        """Weights of the members that take part in the blend."""
        return {member.name: member.weight for member in self.members if member.weight}


def preset_names() -> list[str]:
    """Presets that come with the package."""
    folder = resources.files("prompt_ensemble") / "presets"
    return sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name[-5:] == ".toml")


def load_preset(name: str) -> RunConfig:
    """A preset of the package, by name."""
    if name not in preset_names():
        raise BadConfig(
            f"unknown preset {name!r}; {nearest_name(name, preset_names())}; "
            "give a file of your own with --config"
        )
    file = resources.files("prompt_ensemble") / "presets" / f"{name}.toml"
    return parse_config(file.read_text(encoding="utf-8"), name, f"preset {name!r}")


def load_config(path: Path) -> RunConfig:
    """An ensemble from a TOML file of the user's."""
    with reading(path, "a configuration in TOML", most_bytes=MOST_RECORD_BYTES):
        text = path.read_text(encoding="utf-8")
    return parse_config(text, path.stem, str(path))


def parse_config(text: str, name: str, where: str) -> RunConfig:
    """Checked configuration from TOML text."""
    try:
        table = parse_toml(text)
    except ValueError as error:
        raise BadConfig(f"{where} is not valid TOML: {error}") from error
    listed = table.pop("members", [])
    if not isinstance(listed, list) or not listed:
        raise BadConfig(f"{where} has no [[members]]; an ensemble needs at least one")
    members = tuple(
        from_table(MemberConfig, member, f"{where}, member {number}")
        for number, member in enumerate(listed, 1)
    )
    check_members(members, where)
    return from_table(RunConfig, {"name": name, **table, "members": members}, where)


def check_members(members: tuple[MemberConfig, ...], where: str) -> None:
    """Names are unique and fit for folders; numbers make sense."""
    names = [member.name for member in members]
    for member in members:
        if names.count(member.name) > 1:
            raise BadConfig(f"{where}: two members are named {member.name!r}; names are unique")
        if not member.name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise BadConfig(
                f"{where}: member name {member.name!r} must be letters, digits, '-', '_' or '.', "
                "since a folder is named after it"
            )
        if len(member.name) > LONGEST_NAME:
            raise BadConfig(
                f"{where}: member name {member.name[:20]!r}… is longer than {LONGEST_NAME} "
                "letters; a folder is named after it, so choose a shorter one"
            )
        if member.batch_size < 1:
            raise BadConfig(f"{where}: batch_size of {member.name!r} must be 1 or more")
        if not 0 <= member.weight < float("inf"):
            raise BadConfig(
                f"{where}: weight of {member.name!r} must be a finite number, 0 or more"
            )
    if not any(member.weight for member in members):
        raise BadConfig(f"{where}: every member has weight 0; give at least one a weight")


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

"""Presets: a TOML file says which members look at the images and how they are blended.

Every key is checked against a dataclass, so that a slip of the pen is an error with the near
match and never an option that is silently ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from prompt_ensemble.core.errors import BadConfig, nearest_name
from prompt_ensemble.core.records import MOST_RECORD_BYTES, parse_toml, reading
from prompt_ensemble.core.typed_tables import from_table
from prompt_ensemble.words.options import WordsOptions

_LONGEST_NAME = 100
"""Letters of a member's name, after which folders and files are named."""


@dataclass(frozen=True)
class MemberConfig:
    """One member: a model kind, its weights, its share in the blend."""

    name: str
    model: str
    weights: str = ""
    weight: float = 1.0
    """Share in the blend; 0 for a member that runs only because another needs its outputs."""
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
    """Weights name of the embedding that replaces that of an image nobody can read."""
    prior_weight: float = 0.0
    """Share of the prior in every blend, in addition to the members' weights."""
    weights_from: str = ""
    """Where the weights come from; the preset itself if empty."""
    gate: Mapping[str, Any] = field(default_factory=dict)
    """Weights of each image's own, as a tuned blend may hold them."""
    words: WordsOptions | None = None
    """How the blend is said in words; None where it is not."""
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


def resolve_config(config: RunConfig | str | Path) -> RunConfig:
    """A configuration from whatever names it."""
    if isinstance(config, RunConfig):
        return config
    if isinstance(config, Path) or config.endswith(".toml"):
        return load_config(Path(config))
    return load_preset(config)


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
        if len(member.name) > _LONGEST_NAME:
            raise BadConfig(
                f"{where}: member name {member.name[:20]!r}… is longer than {_LONGEST_NAME} "
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

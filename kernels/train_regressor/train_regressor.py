"""Trains a regressor on pairs of images and prompts (pairs.jsonl); see RECIPE."""

import os
import subprocess
import sys
from pathlib import Path

RECIPE = ["steps=3000", "batch_size=64", "precision=fp16", "frozen_stages=0"]
KAGGLE = Path(os.environ.get("PROMPT_ENSEMBLE_KAGGLE", "/kaggle"))


def install() -> None:
    """Every wheel beside ours, wherever it is mounted, without a network and nothing replaced."""
    ours = sorted((KAGGLE / "input").rglob("prompt_ensemble-*.whl"))
    if not ours:
        mounted = [str(path) for path in sorted((KAGGLE / "input").glob("*/*"))]
        raise SystemExit(
            f"no wheel of prompt-ensemble is mounted, only {mounted}; add the output "
            "of the kernel prompt-ensemble-wheels as an input"
        )
    folder = max((path.parent for path in ours), key=lambda path: len(list(path.glob("*.whl"))))
    # The dataset's wheel may be younger than the one that the others were got for.
    newest = max(ours, key=lambda path: (path.name, path.parent != folder))
    others = [path for path in folder.glob("*.whl") if path not in ours]
    wheels = map(str, [newest, *sorted(others)])
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, *wheels], check=True)


install()

from prompt_ensemble.cli.main import main  # noqa: E402
from prompt_ensemble.kaggle.machine import Machine  # noqa: E402

machine = Machine.here()
pairs = machine.find("pairs.jsonl", "pairs of images and prompts") / "pairs.jsonl"
recipe = [part for key in RECIPE for part in ("--set", key)]
out = str(machine.working / "regressor")
raise SystemExit(main(["train", "regressor", "--data", str(pairs), "--out", out, *recipe]))

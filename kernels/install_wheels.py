"""How a kernel installs prompt-ensemble; rendering writes this into each kernel that imports it."""

import os
import subprocess
import sys
from pathlib import Path


def install() -> None:
    """Every wheel next to ours, wherever it is mounted, without a network and nothing replaced."""
    inputs = Path(os.environ.get("PROMPT_ENSEMBLE_KAGGLE", "/kaggle")) / "input"
    ours = sorted(inputs.rglob("prompt_ensemble-*.whl"))
    if not ours:
        mounted = [str(path) for path in sorted(inputs.glob("*/*"))]
        raise SystemExit(
            f"no wheel of prompt-ensemble is mounted, only {mounted}; add the output "
            "of the kernel prompt-ensemble-wheels as an input"
        )
    folder = max((path.parent for path in ours), key=lambda path: len(list(path.glob("*.whl"))))
    # The dataset's wheel may be younger than the one that the others were fetched for.
    newest = max(ours, key=lambda path: (path.name, path.parent != folder))
    others = [path for path in folder.glob("*.whl") if path not in ours]
    wheels = map(str, [newest, *sorted(others)])
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, *wheels], check=True)

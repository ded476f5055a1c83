"""With internet: gets every wheel that Kaggle's image lacks for ours; the other kernels' source."""

import os
import subprocess
import sys
from pathlib import Path

KAGGLE = Path(os.environ.get("PROMPT_ENSEMBLE_KAGGLE", "/kaggle"))

ours = sorted((KAGGLE / "input").rglob("prompt_ensemble-*.whl"))
if not ours:
    raise SystemExit(
        "no wheel of prompt-ensemble is mounted; add the dataset of make kaggle-dataset"
    )
pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
subprocess.run([*pip, str(ours[-1]), "click"], check=True)

from prompt_ensemble.kaggle.wheels import collect_wheels  # noqa: E402

for name in collect_wheels(ours[-1], KAGGLE / "working"):
    print(name)

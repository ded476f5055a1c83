"""The dataset that kernels start from: our wheel, and model folders of the user's as archives.

Kaggle's client leaves sub-folders out, and Kaggle unpacks archives into folders of their names.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

from prompt_ensemble.core.errors import BadMetadata
from prompt_ensemble.kaggle.metadata import DATASET_FILE, dataset_faults, refuse
from prompt_ensemble.kaggle.rendering import check_username

TITLE = "Prompt ensemble"
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The earliest time an archive can hold: the same files make the same bytes."""


def pack_dataset(
    wheel: Path, weights: Sequence[Path], out: Path, username: str, licence: str = "apache-2.0"
) -> Path:
    """Everything into ``out``, ready for ``kaggle datasets create -p``."""
    check_username(username)
    metadata = {
        "title": TITLE,
        "id": f"{username}/prompt-ensemble",
        "subtitle": "prompt-ensemble's wheel, its weights, and models it runs",
        "licenses": [{"name": licence}],
    }
    refuse(dataset_faults(metadata), out / DATASET_FILE)
    check_names([wheel, *weights])
    clear(out)
    shutil.copy(wheel, out)
    for path in weights:
        pack_weights(path, out)
    (out / DATASET_FILE).write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
    return out


def check_names(paths: Sequence[Path]) -> None:
    """Models are found by their names, so two of one name would be one too many."""
    seen: dict[str, Path] = {}
    for path in paths:
        name = path.resolve().name
        if name in seen:
            raise BadMetadata(
                f"{seen[name]} and {path} would both be called {name!r} in the dataset; rename one "
                "of them, and the weights in your preset with it"
            )
        seen[name] = path


def clear(out: Path) -> None:
    """Make room, but never remove a folder that is no packed dataset."""
    if out.exists() and any(out.iterdir()):
        if not (out / DATASET_FILE).is_file():
            raise BadMetadata(f"{out} holds something that is no packed dataset; empty it yourself")
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)


def pack_weights(path: Path, out: Path) -> None:
    """A model's file as it is, or its folder as an archive of the same name."""
    if path.is_file():
        shutil.copy(path, out)
        return
    if not path.is_dir():
        raise BadMetadata(f"weights {path} are not there; name a model's file or folder")
    with zipfile.ZipFile(out / f"{path.name}.zip", "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            entry = zipfile.ZipInfo(str(file.relative_to(path)), LONG_AGO)
            with archive.open(entry, "w", force_zip64=True) as into, file.open("rb") as content:
                shutil.copyfileobj(content, into)

"""The dataset that kernels start from: our wheel, and the user's model folders as archives.

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

_TITLE = "Prompt ensemble"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The earliest time an archive can hold, so that the same files make the same bytes."""


def pack_dataset(
    wheel: Path, weights: Sequence[Path], out: Path, username: str, licence: str = "apache-2.0"
) -> Path:
    """Put everything into ``out``, ready for ``kaggle datasets create -p``."""
    check_username(username)
    metadata = {
        "title": _TITLE,
        "id": f"{username}/prompt-ensemble",
        "subtitle": "prompt-ensemble's wheel, its weights, and models it runs",
        "licenses": [{"name": licence}],
    }
    refuse(dataset_faults(metadata), out / DATASET_FILE)
    _check_names([wheel, *weights])
    _clear(out)
    shutil.copy(wheel, out)
    for path in weights:
        _pack_weights(path, out)
    (out / DATASET_FILE).write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
    return out


def _check_names(paths: Sequence[Path]) -> None:
    """Models are found by name, so no two may have the same."""
    seen: dict[str, Path] = {}
    for path in paths:
        name = path.resolve().name
        if name in seen:
            raise BadMetadata(
                f"{seen[name]} and {path} would both be called {name!r} in the dataset; rename one "
                "of them, and the weights in your preset with it"
            )
        seen[name] = path


def _clear(out: Path) -> None:
    """Empty the folder, but only if what it holds is a packed dataset."""
    if out.exists() and any(out.iterdir()):
        if not (out / DATASET_FILE).is_file():
            raise BadMetadata(f"{out} holds something that is no packed dataset; empty it yourself")
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)


def _pack_weights(path: Path, out: Path) -> None:
    """Copy a model's file, or pack its folder into an archive of the same name."""
    if path.is_file():
        shutil.copy(path, out)
        return
    if not path.is_dir():
        raise BadMetadata(f"weights {path} are not there; name a model's file or folder")
    with zipfile.ZipFile(out / f"{path.name}.zip", "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            entry = zipfile.ZipInfo(str(file.relative_to(path)), _LONG_AGO)
            with archive.open(entry, "w", force_zip64=True) as into, file.open("rb") as content:
                shutil.copyfileobj(content, into)

"""Phrase banks that clip-interrogator has made or published, read but never written."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import numpy as np

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.data.mapped_arrays import map_arrays

log = logging.getLogger(__name__)


def published_path(folder: Path, architecture: str, name: str) -> Path:
    """Where clip-interrogator keeps a list's vectors: ``ViT-L-14_openai_flavors.safetensors``."""
    tower = architecture.replace("/", "_").replace("@", "_")
    return folder / f"{tower}_{name}.safetensors"


def read_published(path: Path, labels: tuple[str, ...]) -> np.ndarray | None:
    """Float16 rows of ``labels``; None, with a warning, if the file is of another list or broken.

    The file must be of exactly these labels, empty ones too, for their hash identifies it.
    """
    if not path.exists():
        _refuse_pickle(path.with_suffix(".pkl"))
        return None
    try:
        arrays = map_arrays(path)
        rows, digest = arrays["embeds"], bytes(arrays["hash"].astype(np.uint8)).decode("ascii")
    except (KeyError, ValueError, OSError) as error:
        log.warning("%s is damaged (%s) and is not used", path, error)
        return None
    if digest != hashlib.sha256(",".join(labels).encode()).hexdigest():
        log.warning("%s was made of another list of phrases and is not used", path)
        return None
    if rows.ndim != 2 or len(rows) != len(labels) or not np.isfinite(rows).all():
        log.warning("%s does not hold %d rows of numbers and is not used", path, len(labels))
        return None
    return rows


def _refuse_pickle(path: Path) -> None:
    """The old form of these files is a pickle, which could run anything."""
    if path.exists():
        raise BadWeights(
            f"{path} is a pickle, which could run code when read; remove it and the bank is made "
            "anew, or put clip-interrogator's .safetensors file of the same name in its place"
        )

"""Model folders that others wrote, opened so that nothing in them runs and nothing is fetched.

Every loader of a captioner, tower or encoder works inside ``opening``, which looks through the
folder's JSON files first and turns whatever a library then complains of into one line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prompt_ensemble.core.errors import BadWeights, PromptEnsembleError
from prompt_ensemble.models.configs import check_configs, without_downloads

__all__ = ["check_configs", "close_network", "opening", "without_downloads"]

PANIC = "PanicException"
"""Rust's name for a fault in tokenizers or safetensors; it is no ``Exception`` in Python."""


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """Look through a model's folder, then load from it; every error is one line about it."""
    close_network()
    check_configs(path)
    try:
        yield
    except (PromptEnsembleError, ImportError):
        raise
    except BaseException as error:
        # Libraries raise whatever they trip over: KeyError, TypeError, MemoryError, their own.
        if not isinstance(error, Exception) and type(error).__name__ != PANIC:
            raise
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise BadWeights(
            f"{path} cannot be used because of {reason.rstrip(': ')}; "
            "copy the whole model folder again"
        ) from error


def close_network() -> None:
    """Hugging Face's libraries stay offline in this process, whether or not they are imported."""
    os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    if constants := sys.modules.get("huggingface_hub.constants"):
        constants.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]

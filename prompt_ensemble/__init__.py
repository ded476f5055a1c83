"""prompt-ensemble: which prompt made this image, as text and as a sentence embedding."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from prompt_ensemble.models import torchvision_on_cpu

if TYPE_CHECKING:
    from prompt_ensemble.core.blend import blend
    from prompt_ensemble.core.embeddings import Embeddings
    from prompt_ensemble.core.score import mean_cosine
    from prompt_ensemble.core.submission import check_submission, write_submission
    from prompt_ensemble.models.sentence_encoder import SentenceEncoder
    from prompt_ensemble.run.config import load_preset
    from prompt_ensemble.run.ensemble import Ensemble, load_ensemble, predict

__version__ = "0.2.0"

PUBLIC_NAMES = {
    "Embeddings": "core.embeddings",
    "Ensemble": "run.ensemble",
    "SentenceEncoder": "models.sentence_encoder",
    "blend": "core.blend",
    "check_submission": "core.submission",
    "load_ensemble": "run.ensemble",
    "load_preset": "run.config",
    "mean_cosine": "core.score",
    "predict": "run.ensemble",
    "write_submission": "core.submission",
}
__all__ = [
    "Embeddings",
    "Ensemble",
    "SentenceEncoder",
    "__version__",
    "blend",
    "check_submission",
    "load_ensemble",
    "load_preset",
    "mean_cosine",
    "predict",
    "write_submission",
]

torchvision_on_cpu.install()


def __getattr__(name: str) -> Any:
    # Resolved on first use: ``import prompt_ensemble`` must stay instant and free of torch.
    if name not in PUBLIC_NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{PUBLIC_NAMES[name]}"), name)

"""prompt-ensemble: which prompt made this image, as text and as a sentence embedding."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from prompt_ensemble import torchvision_on_cpu

if TYPE_CHECKING:
    from prompt_ensemble.blending import blend
    from prompt_ensemble.config import load_preset
    from prompt_ensemble.embeddings import Embeddings
    from prompt_ensemble.metric import mean_cosine
    from prompt_ensemble.pipeline import predict
    from prompt_ensemble.sentence_encoder import SentenceEncoder
    from prompt_ensemble.submission import check_submission, write_submission

__version__ = "0.1.0"

PUBLIC_NAMES = {
    "Embeddings": "embeddings",
    "SentenceEncoder": "sentence_encoder",
    "blend": "blending",
    "check_submission": "submission",
    "load_preset": "config",
    "mean_cosine": "metric",
    "predict": "pipeline",
    "write_submission": "submission",
}
__all__ = [
    "Embeddings",
    "SentenceEncoder",
    "__version__",
    "blend",
    "check_submission",
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

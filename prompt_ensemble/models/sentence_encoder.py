"""Texts to embeddings with all-MiniLM-L6-v2, the model that made the competition's truth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, unit_rows
from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.models.checkpoints import finite
from prompt_ensemble.models.folders import opening
from prompt_ensemble.models.weights import WeightRoots, weights_digest

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from prompt_ensemble.models.device import Placement

DEFAULT_ENCODER = "all-MiniLM-L6-v2"
_TEXTS_PER_STEP = 512
"""Texts encoded between two reports of progress."""


class SentenceEncoder:
    """A sentence-transformers folder, loaded when the first text is encoded; always in float32."""

    def __init__(
        self, folder: Path | None = None, placement: Placement | None = None, batch_size: int = 64
    ) -> None:
        self.folder = folder or default_folder()
        self.placement = placement
        self.batch_size = batch_size

    @cached_property
    def digest(self) -> str:
        """Differs between encoders that would give different vectors."""
        return weights_digest(self.folder)

    @cached_property
    def model(self) -> SentenceTransformer:
        """The network on its device."""
        device = str(self.placement.device) if self.placement else "cpu"
        with opening(self.folder):
            model = _load(self.folder, device)
        width = model.get_embedding_dimension()
        if width != EMBEDDING_WIDTH:
            raise BadWeights(
                f"{self.folder} encodes to {width} numbers, not {EMBEDDING_WIDTH}; "
                f"the competition's truth is made with {DEFAULT_ENCODER}"
            )
        return model

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> np.ndarray:
        """``(N, 384)`` float32 unit rows, in the order of the texts.

        Equal texts are encoded once, and texts of similar length together to avoid padding.
        """
        distinct = sorted(set(texts), key=lambda text: (-len(text), text))
        rows = np.empty((len(distinct), EMBEDDING_WIDTH), np.float32)
        with progress("embedding texts", len(distinct), "text") as advance:
            for start in range(0, len(distinct), _TEXTS_PER_STEP):
                step = distinct[start : start + _TEXTS_PER_STEP]
                rows[start : start + len(step)] = self._encode_step(step)
                advance(len(step))
        numbers = {text: number for number, text in enumerate(distinct)}
        return unit_rows(rows[[numbers[text] for text in texts]])

    def _encode_step(self, texts: list[str]) -> np.ndarray:
        """Vectors of a few texts, in the batches that the library makes of them."""
        vectors: np.ndarray = self.model.encode(
            texts, batch_size=self.batch_size, convert_to_numpy=True, show_progress_bar=False
        )
        return vectors


def _load(folder: Path, device: str) -> SentenceTransformer:
    """The folder's network, its tensors checked."""
    if not (folder / "modules.json").is_file():  # the library would invent a pooling
        raise BadWeights(
            f"{folder} is no sentence-transformers folder; expected modules.json, config.json, "
            "tokenizer files and model.safetensors"
        )
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # a bar for reading one small file is noise
    model = SentenceTransformer(
        str(folder), device=device, local_files_only=True, trust_remote_code=False
    )
    finite(model.state_dict(), folder)
    return model


def default_folder() -> Path:
    """The encoder in its PyPI package."""
    return WeightRoots.usual().find(DEFAULT_ENCODER).path

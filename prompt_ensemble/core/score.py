"""The competition's score: the mean over images of the cosine to the true prompt's embedding."""

from __future__ import annotations

import numpy as np

from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.errors import MismatchedIds
from prompt_ensemble.core.intervals import Resampling, Score


def cosines(predicted: Embeddings, truth: Embeddings) -> np.ndarray:
    """Cosine per image, ``(N,)`` float64, in the order of ``truth``; joined by id."""
    strangers = sorted(set(predicted.image_ids) - set(truth.image_ids))
    if strangers:
        raise MismatchedIds(
            f"{len(strangers)} predicted images have no truth, first {strangers[0]!r}; "
            "score against the prompts of the same images"
        )
    rows = predicted.take(truth.image_ids).vectors
    per_image: np.ndarray = np.einsum("ij,ij->i", rows, truth.vectors, dtype=np.float64)
    return per_image


def mean_cosine(predicted: Embeddings, truth: Embeddings) -> float:
    """The competition's score."""
    return float(cosines(predicted, truth).mean())


def score(predicted: Embeddings, truth: Embeddings, seed: int = 0) -> Score:
    """The competition's score with an interval from resampling images."""
    per_image = cosines(predicted, truth)
    return Resampling.of_images(len(per_image), seed).interval(per_image)

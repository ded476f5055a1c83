"""The competition's score: the mean over images of the cosine to the true prompt's embedding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.errors import MismatchedIds

RESAMPLES = 2000


@dataclass(frozen=True)
class Score:
    """A mean over images with its 95% bootstrap interval, if there is more than one to draw."""

    mean: float
    low: float | None
    high: float | None
    images: int

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            images = "1 image" if self.images == 1 else f"{self.images} images of one prompt"
            return f"{self.mean:.4f} ({images}, too few for an interval)"
        return f"{self.mean:.4f} (95% {self.low:.4f} to {self.high:.4f}, {self.images} images)"


def cosines(predicted: Embeddings, truth: Embeddings) -> np.ndarray:
    """Cosine per image, ``(N,)`` float64, in the order of ``truth``; joined by id."""
    strangers = sorted(set(predicted.image_ids) - set(truth.image_ids))
    if strangers:
        raise MismatchedIds(
            f"{len(strangers)} predicted images have no truth, first {strangers[0]!r}; "
            "score against the prompts of the same images"
        )
    rows = predicted.take(truth.image_ids).vectors
    found: np.ndarray = np.einsum("ij,ij->i", rows, truth.vectors, dtype=np.float64)
    return found


def mean_cosine(predicted: Embeddings, truth: Embeddings) -> float:
    """The competition's score."""
    return float(cosines(predicted, truth).mean())


def score(predicted: Embeddings, truth: Embeddings, seed: int = 0) -> Score:
    """The competition's score with an interval from resampling images."""
    return bootstrap(cosines(predicted, truth), seed)


def bootstrap(per_image: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> Score:
    """Mean of per-image values and the 2.5 and 97.5 percentiles of resampled means."""
    count = len(per_image)
    if count == 1:
        return Score(float(per_image[0]), None, None, 1)
    random = np.random.default_rng(seed)
    means = np.array([per_image[random.integers(0, count, count)].mean() for _ in range(resamples)])
    low, high = np.quantile(means, (0.025, 0.975))
    return Score(float(per_image.mean()), float(low), float(high), count)

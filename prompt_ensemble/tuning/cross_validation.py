"""Scores that are never in-sample: each image is judged by weights fitted without its fold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from prompt_ensemble.tuning.methods import Method
from prompt_ensemble.tuning.objective import blend_cosines
from prompt_ensemble.tuning.statistics import Statistics


def held_out_cosines(statistics: Statistics, folds: np.ndarray, method: Method) -> np.ndarray:
    """Cosine of the blend for each image, ``(N,)``, by weights that never saw its fold."""
    cosines = np.empty(len(statistics))
    for fitted, judged in fold_masks(folds):
        weights = method(statistics.rows(fitted))
        cosines[judged] = blend_cosines(statistics.rows(judged), weights)
    return cosines


def fold_masks(folds: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each fold the images outside it and inside it, as masks."""
    for fold in np.unique(folds):
        yield folds != fold, folds == fold


def without_member(name: str, method: Method) -> Method:
    """The method applied to all members but one, whose weight is 0."""

    def weights_of_others(statistics: Statistics) -> np.ndarray:
        others = [other for other in statistics.names if other != name]
        weights = np.zeros(len(statistics.names))
        weights[[statistics.names.index(other) for other in others]] = method(
            statistics.members(others)
        )
        return weights

    return weights_of_others

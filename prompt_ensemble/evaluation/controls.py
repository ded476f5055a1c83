"""Controls: scores of answers that do not depend on the image.

Both are exact and leave out the group of the image, so neither chance nor its
prompt can raise them.
"""

from __future__ import annotations

import numpy as np

from prompt_ensemble.core.embeddings import unit_rows


def mean_of_other_groups(truth: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """For each image the mean true vector of all other groups, ``(N, 384)``; not unit rows."""
    _, number = np.unique(groups, return_inverse=True)
    sums = np.zeros((number.max() + 1, truth.shape[1]))
    np.add.at(sums, number, truth)
    counts = np.bincount(number)
    rest = np.maximum(len(truth) - counts, 1)[number]
    means: np.ndarray = (sums.sum(axis=0) - sums[number]) / rest[:, None]
    return means


def constant_cosines(truth: np.ndarray, elsewhere: np.ndarray) -> np.ndarray:
    """Cosine to the truth of the one answer that is best for all other groups, ``(N,)``."""
    cosines: np.ndarray = np.einsum("ij,ij->i", truth, unit_rows(elsewhere), dtype=np.float64)
    return cosines


def shuffled_cosines(predicted: np.ndarray, elsewhere: np.ndarray) -> np.ndarray:
    """Mean cosine of each prediction to the truths of all other groups, ``(N,)``."""
    cosines: np.ndarray = np.einsum("ij,ij->i", predicted, elsewhere, dtype=np.float64)
    return cosines

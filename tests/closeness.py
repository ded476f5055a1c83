"""When two arrays of vectors say the same, on whatever processor and in whatever batches."""

from __future__ import annotations

import numpy as np


def rows_agree(ours: np.ndarray, theirs: np.ndarray, tolerance: float = 1e-5) -> bool:
    """Whether each row differs by at most ``tolerance`` of its own length.

    A number near zero is the rest of large ones that cancelled, so its own size is no measure.
    """
    assert ours.shape == theirs.shape
    distances = np.linalg.norm(ours.astype(np.float64) - theirs, axis=-1)
    lengths = np.linalg.norm(theirs.astype(np.float64), axis=-1)
    return bool((distances <= tolerance * lengths).all())

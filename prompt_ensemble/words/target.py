"""What a text has to be near to: the blend, without what uncertainty drew it to."""

from __future__ import annotations

import numpy as np

from prompt_ensemble.core.embeddings import unit_rows


def undamped(blend: np.ndarray, mean: np.ndarray, share: float) -> np.ndarray:
    """Unit rows of ``b - share * m``, with b the blend's unit rows and m the mean prompt.

    Whoever is unsure answers near the mean, where only bland texts lie. The direction away from it
    is what the image did say.
    """
    return unit_rows(unit_rows(blend) - np.float32(share) * mean)

"""The learning rate's course: a straight warm-up, then half a cosine down to nothing."""

from __future__ import annotations

import math


def rate_factor(step: int, steps: int, warm_up: float) -> float:
    """Fraction of the full rate at ``step`` (from 0) of ``steps``."""
    warming = max(1, round(steps * warm_up))
    if step < warming:
        return (step + 1) / warming
    progress = (step - warming) / max(1, steps - warming)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

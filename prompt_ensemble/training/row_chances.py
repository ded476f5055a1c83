"""How often each pair is trained on: prompts by their tier, whatever the number of their images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np


def row_chances(
    texts: Sequence[str], tiers: Sequence[str], shares: Mapping[str, float]
) -> np.ndarray:
    """Each row's chance to be drawn: its tier's share over the images of its text."""
    images = Counter(texts)
    return np.array(
        [shares.get(tier, 1.0) / images[text] for text, tier in zip(texts, tiers, strict=True)]
    )

"""How often each pair is trained on: prompts by their tier, whatever the number of their images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TierShares:
    """The part of a recipe that says how often prompts of each tier are drawn."""

    share_a: float = 1.0
    share_b: float = 0.3
    share_c: float = 0.3
    share_photo: float = 0.5
    """How often a prompt of this tier is drawn, relative to the others."""

    def shares(self) -> dict[str, float]:
        """Share of each tier's prompts."""
        return {
            "A": self.share_a, "B": self.share_b, "C": self.share_c, "photo": self.share_photo,
        }  # fmt: skip


def row_chances(
    texts: Sequence[str], tiers: Sequence[str], shares: Mapping[str, float]
) -> np.ndarray:
    """Each row's chance to be drawn: its tier's share over the images of its text."""
    images = Counter(texts)
    return np.array(
        [shares.get(tier, 1.0) / images[text] for text, tier in zip(texts, tiers, strict=True)]
    )

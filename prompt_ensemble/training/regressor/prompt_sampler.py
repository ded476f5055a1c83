"""Which pairs a step trains on: distinct prompts, each tier by its share, one image of each.

The rows of a step depend on the seed and the step's number alone, so a resumed run sees what it
would have seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from prompt_ensemble.core.errors import BadConfig


class PromptSampler:
    """Draws batches from the training rows."""

    def __init__(
        self,
        prompts: Sequence[str],
        tiers: np.ndarray,
        rows: np.ndarray,
        shares: Mapping[str, float],
        seed: int,
    ) -> None:
        unknown = sorted(set(tiers[rows].tolist()) - set(shares))
        if unknown:
            raise BadConfig(f"tier {unknown[0]!r} has no share; known tiers: {', '.join(shares)}")
        images: dict[str, list[int]] = {}
        for row in rows.tolist():
            images.setdefault(prompts[row], []).append(row)
        self.images = list(images.values())
        """Rows of each distinct prompt."""
        self.chances = torch.tensor(
            [float(np.mean([shares[str(tiers[row])] for row in same])) for same in self.images],
            dtype=torch.float64,
        )
        self.seed = seed

    def batch(self, step: int, size: int) -> tuple[np.ndarray, torch.Generator]:
        """Rows of a step, and the generator that its augmentation draws from."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        possible = int((self.chances > 0).sum())
        prompts = torch.multinomial(self.chances, min(size, possible), generator=generator)
        rows = [_pick(self.images[prompt], generator) for prompt in prompts.tolist()]
        return np.array(rows), generator


def _pick(rows: list[int], generator: torch.Generator) -> int:
    return rows[int(torch.randint(len(rows), (1,), generator=generator))]

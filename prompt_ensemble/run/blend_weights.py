"""Weights as a run blends by them: those of the configuration, or of what is left of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from prompt_ensemble.run.config import RunConfig


@dataclass(frozen=True)
class BlendWeights:
    """Shares of the members that take part, and of the prior."""

    members: Mapping[str, float]
    prior: float = 0.0
    gate: Mapping[str, Any] = field(default_factory=dict)
    """Weights that differ from image to image, as a tuned blend may hold them."""
    source: str = ""
    """Where the weights come from."""

    @classmethod
    def of(cls, config: RunConfig) -> BlendWeights:
        """The weights that a configuration asks for."""
        source = config.weights_from or f"preset {config.name!r}"
        return cls(config.blend_weights, config.prior_weight, config.gate, source)

    def of_finished(self, finished: Collection[str], ran: Collection[str]) -> BlendWeights:
        """Weights of the members that finished, of all that ``ran``; they grow to the same sum.

        Each keeps its share relative to the others, and a prior keeps its share of the whole. A
        gate needs every member it was tuned with, so without one of them fixed weights take its
        place.
        """
        absent = sorted(set(ran) - set(finished))
        if not absent:
            return self
        left = sum(weight for name, weight in self.members.items() if name in finished)
        growth = sum(self.members.values()) / left if left else 0.0
        kept = {name: w * growth for name, w in self.members.items() if name in finished}
        source = f"{self.source}, grown by {growth:.4f} for want of {', '.join(absent)}"
        return BlendWeights(kept, self.prior, source=source)

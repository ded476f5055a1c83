"""What a captioner learns from: features of images and tokens of their texts."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class CaptionExamples:
    """Features of images and tokens of their texts, on the device."""

    features: torch.Tensor
    tokens: torch.Tensor
    cumulative: torch.Tensor
    """``(N,)`` running sums of the rows' chances to be drawn."""
    noise: torch.Tensor
    """``(F,)`` size of what is added to each feature."""

    def batch(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """Tokens and features of rows drawn by their chances."""
        rows = self.draw(count, generator)
        return self.tokens[rows].long(), self.seen(rows, generator)

    def draw(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """``(count,)`` rows drawn by their chances."""
        places = torch.rand(count, generator=generator, device=self.features.device)
        rows = torch.searchsorted(self.cumulative, places * self.cumulative[-1])
        return rows.clamp(max=len(self.cumulative) - 1)

    def seen(self, rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """``(B, F)`` features of these rows, with noise."""
        features = self.features[rows].float()
        drawn = torch.randn(features.shape, generator=generator, device=features.device)
        return features + self.noise * drawn

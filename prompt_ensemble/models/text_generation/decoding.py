"""What a text decoder offers to a search, and what the search gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch


@dataclass(frozen=True)
class Hypothesis:
    """Tokens of a caption, without the prompt and the end, and how likely they are."""

    tokens: list[int]
    score: float


class Decoding(Protocol):
    """A batch of images being captioned: rows are the images' beams, image after image."""

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """``(R, t)`` new tokens to ``(R, V)`` logits of the token that follows."""

    def reorder(self, rows: torch.Tensor) -> None:
        """Continue from these rows; they stay within their image."""


@runtime_checkable
class LeavableDecoding(Decoding, Protocol):
    """A decoding that rows can leave, however many of each image stay."""

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with these rows alone, in their order."""

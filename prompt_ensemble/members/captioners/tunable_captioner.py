"""Captioners whose published network can learn on: read from its files, then made to search."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prompt_ensemble.members.captioners.caption_predictor import CaptionPredictor

if TYPE_CHECKING:
    import torch

    from prompt_ensemble.images.preprocessing import Preprocessing
    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner


@dataclass(frozen=True, eq=False)
class Published:
    """What the files of a captioner hold."""

    model: Any
    """The network, on the CPU."""
    preprocessing: Preprocessing
    tokenizer: Any


class TunableCaptioner(CaptionPredictor):
    """A captioner in two steps."""

    def load(self, placement: Placement) -> SearchingCaptioner:
        """The captioner, on its device."""
        published = self.read(placement)
        published.model.to(placement.device)
        return self.searching(published)

    @abstractmethod
    def read(self, placement: Placement) -> Published:
        """Network, preprocessing and tokenizer from the files."""

    @abstractmethod
    def searching(self, published: Published) -> SearchingCaptioner:
        """The captioner that searches with this network, wherever it is."""

    @abstractmethod
    def pieces(self, published: Published, text: str) -> list[int]:
        """The tokens of a text, without any that begin or end it."""

    @abstractmethod
    def logits(
        self, published: Published, pixels: torch.Tensor, tokens: torch.Tensor
    ) -> torch.Tensor:
        """``(B, T, V)``: what follows each of the tokens, all at once, as in training.

        ``(B, T)`` tokens begin as the captioner's do. Decoders look back only, so whatever pads
        shorter texts behind their end changes nothing before it.
        """

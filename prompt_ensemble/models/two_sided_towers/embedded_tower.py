"""The tower that travels with the package: a regressor and the sentence encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn.functional import normalize

from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.regressor.regressor_folder import load_regressor
from prompt_ensemble.models.sentence_encoder import SentenceEncoder
from prompt_ensemble.models.two_sided_towers.two_sided_tower import TwoSidedTower
from prompt_ensemble.models.weights import WeightRoots

_LONGEST_PROMPT = 77
"""Tokens that Stable Diffusion reads of a prompt; the sentence encoder would read more."""


class EmbeddedTower(TwoSidedTower):
    """Images and texts in the space of all-MiniLM-L6-v2."""

    def __init__(self, folder: Path, placement: Placement, roots: WeightRoots) -> None:
        model, card = load_regressor(folder, roots)
        self.model = model.to(placement.device)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.recipe = card.preprocessing
        self.device = placement.device
        self.encoder = SentenceEncoder(placement=placement)

    def encode_images(self, pixels: torch.Tensor) -> torch.Tensor:
        """The embeddings that the regressor predicts for the images' prompts."""
        ready = self.recipe.normalise(pixels).contiguous(memory_format=torch.channels_last)
        return normalize(self.model(ready).float(), dim=-1)

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """The sentence encoder's rows, in full precision whatever precision the run has."""
        with torch.autocast(self.device.type, enabled=False):
            return torch.from_numpy(self.encoder.encode(texts)).to(self.device)

    def is_full(self, text: str) -> bool:
        """Whether Stable Diffusion would read no further word of the prompt."""
        tokens = self.encoder.model.tokenizer(text, truncation=False, verbose=False)
        return len(tokens["input_ids"]) >= _LONGEST_PROMPT

"""Decoding with a language model of transformers that reads the image as words before the text."""

from __future__ import annotations

from typing import Any

import torch


class PrefixedDecoding:
    """A batch of images being captioned by a decoder-only language model."""

    def __init__(self, language_model: Any, prefix: torch.Tensor) -> None:
        self.language_model = language_model
        self.prefix = prefix
        """``(B, M, D)`` embeddings that stand for the images."""
        self.cache: Any = None

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """``(R, t)`` new tokens to ``(R, V)`` logits of the token that follows."""
        embedded = self.language_model.get_input_embeddings()(tokens)
        if self.cache is None:
            beams = len(tokens) // len(self.prefix)
            prefix = self.prefix.repeat_interleave(beams, 0).to(embedded.dtype)
            embedded = torch.cat([prefix, embedded], 1)
        said = self.language_model(
            inputs_embeds=embedded, past_key_values=self.cache, use_cache=True, logits_to_keep=1
        )
        self.cache = said.past_key_values
        logits: torch.Tensor = said.logits[:, -1]
        return logits

    def reorder(self, rows: torch.Tensor) -> None:
        """Continue from these rows."""
        self.cache.reorder_cache(rows)

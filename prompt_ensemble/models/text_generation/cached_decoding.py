"""Decoding with any text decoder of transformers that attends to an image, in its own cache."""

from __future__ import annotations

from typing import Any

import torch


class CachedDecoding:
    """A batch of images being captioned by a decoder with cross-attention."""

    def __init__(self, decoder: Any, image_states: torch.Tensor) -> None:
        self.decoder = decoder
        self.image_states = image_states
        self.cache: Any = None

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """``(R, t)`` new tokens to ``(R, V)`` logits of the token that follows."""
        if len(tokens) != len(self.image_states):  # several beams from the very first step
            beams = len(tokens) // len(self.image_states)
            self.image_states = self.image_states.repeat_interleave(beams, 0)
        said = self.decoder(
            input_ids=tokens,
            encoder_hidden_states=self.image_states,
            past_key_values=self.cache,
            use_cache=True,
        )
        self.cache = said.past_key_values
        logits: torch.Tensor = said.logits[:, -1]
        return logits

    def reorder(self, rows: torch.Tensor) -> None:
        """Continue from these rows, which stay within their image.

        So what was kept of the image moves only when images turn into beams.
        """
        if len(rows) == len(self.image_states):
            self.cache.self_attention_cache.reorder_cache(rows)
        else:
            self.image_states = self.image_states[rows]
            self.cache.reorder_cache(rows)

"""Decoding with decoders of transformers in their own cache: the image is attended to, or read."""

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
        output = self.decoder(
            input_ids=tokens,
            encoder_hidden_states=self.image_states,
            past_key_values=self.cache,
            use_cache=True,
        )
        self.cache = output.past_key_values
        logits: torch.Tensor = output.logits[:, -1]
        return logits

    def reorder(self, rows: torch.Tensor) -> None:
        """Continue from these rows, which stay within their image.

        So what was kept of the image moves only when images turn into beams.
        """
        if len(rows) == len(self.image_states):
            self.cache.self_attention_cache.reorder_cache(rows)
        else:
            self.keep(rows)

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with these rows alone, in their order."""
        self.image_states = self.image_states[rows]
        self.cache.reorder_cache(rows)


class PrefixedDecoding:
    """A batch of images being captioned by a decoder-only language model."""

    def __init__(self, language_model: Any, prefix: torch.Tensor) -> None:
        self.language_model = language_model
        self.prefix = prefix
        """``(B, M, D)`` embeddings of the images."""
        self.cache: Any = None

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """``(R, t)`` new tokens to ``(R, V)`` logits of the token that follows."""
        embedded = self.language_model.get_input_embeddings()(tokens)
        if self.cache is None:
            beams = len(tokens) // len(self.prefix)
            prefix = self.prefix.repeat_interleave(beams, 0).to(embedded.dtype)
            embedded = torch.cat([prefix, embedded], 1)
        output = self.language_model(
            inputs_embeds=embedded, past_key_values=self.cache, use_cache=True, logits_to_keep=1
        )
        self.cache = output.past_key_values
        logits: torch.Tensor = output.logits[:, -1]
        return logits

    def reorder(self, rows: torch.Tensor) -> None:
        """Continue from these rows."""
        self.cache.reorder_cache(rows)

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with these rows alone, in their order."""
        self.cache.reorder_cache(rows)

"""The whole OFA network: a picture and a question in, captions as ids out."""

from __future__ import annotations

import torch
from torch import nn

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.images.preprocessing import HALF, Preprocessing
from prompt_ensemble.models.ofa.cache import WordCache
from prompt_ensemble.models.ofa.config import OfaConfig
from prompt_ensemble.models.ofa.decoder import Decoder, Reading
from prompt_ensemble.models.ofa.encoder import Encoder, Memory
from prompt_ensemble.models.text_generation.beam_search import fairseq_search, search_captions
from prompt_ensemble.models.text_generation.decoding import Hypothesis
from prompt_ensemble.models.text_generation.generation import Generation

PROMPT = " what does the image describe?"
"""The leading space matters."""
PREPROCESSING = Preprocessing(480, 480, HALF, HALF)
"""The size the caption checkpoints were fine-tuned at; squashed, never cropped."""


class Ofa(nn.Module):
    """Encoder and decoder over one table of words."""

    def __init__(self, config: OfaConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config, self.encoder.embed_tokens)

    def encode(self, input_ids: torch.Tensor, images: torch.Tensor | None = None) -> Memory:
        """The memory of question ids ``(B, T)`` and normalised pictures ``(B, 3, H, W)``."""
        features = None if images is None else self.encoder.embed_images(images)
        memory: Memory = self.encoder(input_ids, features)
        return memory

    def logits(
        self,
        decoder_ids: torch.Tensor,
        memory: Memory,
        padding: torch.Tensor | None = None,
        code_rows: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """What follows each position of ``(B, T)`` ids, ``(B, T, V)``."""
        length = decoder_ids.shape[1]
        reading = self.decoder.begin(memory, length, code_rows, padding)
        hidden = self.decoder(decoder_ids, reading, WordCache(len(self.decoder.layers), length))
        return self.decoder.logits(hidden)

    def generate(
        self,
        input_ids: torch.Tensor,
        images: torch.Tensor | None,
        generation: Generation,
    ) -> list[list[Hypothesis]]:
        """Captions of each picture as the model cards' ``generate`` finds them, best first."""
        decoding, start = self.begin(self.encode(input_ids, images), generation)
        return search_captions(
            decoding, start, self.config.eos_token_id, generation, end_is_free=True
        )

    def generate_fairseq(
        self,
        input_ids: torch.Tensor,
        images: torch.Tensor | None,
        generation: Generation,
    ) -> list[list[Hypothesis]]:
        """Captions of each picture as the authors' evaluation finds them, best first."""
        decoding, start = self.begin(self.encode(input_ids, images), generation)
        ends = self.config.eos_token_id, self.config.pad_token_id
        return fairseq_search(decoding, start, *ends, generation)

    def begin(self, memory: Memory, generation: Generation) -> tuple[_OfaDecoding, torch.Tensor]:
        """A batch ready to be captioned, and the first id of each caption, ``(B, 1)``."""
        longest = self.config.max_position_embeddings
        if generation.max_length > longest:
            raise BadConfig(
                f"OFA writes at most {longest} tokens; set max_length to that or less, "
                f"not {generation.max_length}"
            )
        reading = self.decoder.begin(memory, generation.max_length)
        images = len(memory.hidden)
        start = torch.full((images, 1), self.config.bos_token_id, device=memory.hidden.device)
        return _OfaDecoding(self.decoder, reading, generation.max_length), start


class _OfaDecoding:
    """A batch of images being captioned, as the searches want it."""

    def __init__(self, decoder: Decoder, reading: Reading, capacity: int) -> None:
        self.decoder = decoder
        self.reading = reading
        self.cache = WordCache(len(decoder.layers), capacity)

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """``(R, t)`` new tokens to ``(R, V)`` logits of the token that follows."""
        hidden = self.decoder(tokens, self.reading, self.cache)
        return self.decoder.logits(hidden[:, -1])

    def reorder(self, rows: torch.Tensor) -> None:
        """Continue from these rows; they stay within their image."""
        self.cache.reorder(rows)

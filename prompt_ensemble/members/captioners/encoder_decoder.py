"""Any vision tower with any text decoder: ``VisionEncoderDecoderModel`` folders (ViT-GPT2 …)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from prompt_ensemble.members.captioners.transformers_captioner import (
    Decoder,
    TransformersCaptioner,
)
from prompt_ensemble.members.captioners.tunable_captioner import Published
from prompt_ensemble.models.text_generation.generation import Generation

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from prompt_ensemble.models.text_generation.decoding import Decoding


class EncoderDecoderPredictor(TransformersCaptioner):
    """Generates as its folder's own files say, else as ViT-GPT2 is published."""

    stored_as = "prompt_ensemble.captioners.encoder_decoder:EncoderDecoderPredictor"
    model_type: ClassVar[str] = "vision-encoder-decoder"
    model_class: ClassVar[str] = "VisionEncoderDecoderModel"
    default_weights: ClassVar[str] = "vit-gpt2-image-captioning"
    published = Generation(num_beams=4, max_length=16)
    generation_files: ClassVar[tuple[str, ...]] = ("generation_config.json", "config.json")

    def decoder(self, model: Any, tokenizer: PreTrainedTokenizerBase) -> Decoder:
        """The text decoder, which attends to the vision tower's states."""
        text = model.decoder.config
        start, *_ = self.tokens("decoder_start_token_id", model, text)
        ends = self.tokens("eos_token_id", model, text)
        return Decoder(partial(begin, model), (start,), ends, text.max_position_embeddings)

    def logits(
        self, published: Published, pixels: torch.Tensor, tokens: torch.Tensor
    ) -> torch.Tensor:
        """The decoder attends to the tower's states."""
        output = published.model(pixel_values=pixels, decoder_input_ids=tokens)
        logits: torch.Tensor = output.logits
        return logits


def begin(model: Any, pixels: torch.Tensor) -> Decoding:
    """A decoding that has encoded the images once."""
    from prompt_ensemble.models.text_generation.cached_decoding import CachedDecoding

    states = model.encoder(pixel_values=pixels).last_hidden_state
    if hasattr(model, "enc_to_dec_proj"):  # only where the two are of different widths
        states = model.enc_to_dec_proj(states)
    return CachedDecoding(model.decoder, states)

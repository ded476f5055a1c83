"""BLIP-2 with a decoder-only language model (OPT): its Q-Former turns the image into 32 words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.members.captioners.caption_predictor import CaptionOptions
from prompt_ensemble.members.captioners.transformers_captioner import (
    Decoder,
    TransformersCaptioner,
)
from prompt_ensemble.members.captioners.tunable_captioner import Published
from prompt_ensemble.models.text_generation.generation import Generation
from prompt_ensemble.models.text_generation.token_rules import tokens

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.text_generation.decoding import Decoding


@dataclass(frozen=True)
class _Blip2Options(CaptionOptions):
    """BLIP-2's own option."""

    prompt: str = ""
    """Words that every caption continues without containing them, e.g. "a photo of"."""


class Blip2Predictor(TransformersCaptioner):
    """blip2-opt-2.7b, blip2-opt-6.7b and the like, as transformers folders."""

    stored_as = "prompt_ensemble.captioners.blip2:Blip2Predictor"
    Options: ClassVar[type[_Blip2Options]] = _Blip2Options
    model_type: ClassVar[str] = "blip-2"
    model_class: ClassVar[str] = "Blip2ForConditionalGeneration"
    default_weights: ClassVar[str] = "blip2-opt-2.7b"
    published = Generation(num_beams=5, max_length=30, min_length=1)
    """The authors' captioning in LAVIS."""
    options: _Blip2Options

    def weights_type(self, placement: Placement) -> torch.dtype:
        """That of the run: 2.7 billion numbers and more have no room in float32."""
        return placement.dtype

    def decoder(self, model: Any, tokenizer: PreTrainedTokenizerBase) -> Decoder:
        """The language model, to which the Q-Former's rows are words before the prompt."""
        text, queries = model.config.text_config, model.config.num_query_tokens
        if not model.config.use_decoder_only_language_model:
            raise BadWeights(
                f"{self.path} speaks with {text.model_type!r}; only BLIP-2 with a decoder-only "
                "language model, such as blip2-opt-2.7b, is known here"
            )
        words = tokenizer(self.options.prompt, add_special_tokens=False).input_ids
        return Decoder(
            partial(begin, model),
            (text.bos_token_id, *words),
            tokens(text.eos_token_id),  # the language model's own, whatever other files say
            text.max_position_embeddings - queries,
            (model.config.image_token_index,) * queries,
        )

    def logits(
        self, published: Published, pixels: torch.Tensor, tokens: torch.Tensor
    ) -> torch.Tensor:
        """As many places for the image as the Q-Former fills, lest it be left out."""
        import torch

        model = published.model
        queries = model.config.num_query_tokens
        places = tokens.new_full((len(tokens), queries), model.config.image_token_index)
        ids = torch.cat([places, tokens], 1)
        output = model(
            pixel_values=pixels.to(model.dtype), input_ids=ids, attention_mask=torch.ones_like(ids)
        )
        logits: torch.Tensor = output.logits
        return logits[:, queries:]


def begin(model: Any, pixels: torch.Tensor) -> Decoding:
    """A decoding that has encoded the images once."""
    from prompt_ensemble.models.text_generation.cached_decoding import PrefixedDecoding

    pixels = pixels.to(model.dtype)
    return PrefixedDecoding(model.language_model, model.get_image_features(pixels).pooler_output)

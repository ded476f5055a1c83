"""BLIP-2 with a decoder-only language model (OPT): its Q-Former turns the image into 32 words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.members.captioners.caption_predictor import CaptionOptions, CaptionPredictor
from prompt_ensemble.models.text_generation.generation import Generation

if TYPE_CHECKING:
    import torch

    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.text_generation.captioner import Captioner
    from prompt_ensemble.models.text_generation.decoding import Decoding


@dataclass(frozen=True)
class Blip2Options(CaptionOptions):
    """BLIP-2's own option."""

    prompt: str = ""
    """Words every caption begins with, unsaid, e.g. "a photo of"."""


class Blip2Predictor(CaptionPredictor):
    """blip2-opt-2.7b, blip2-opt-6.7b and the like, as transformers folders."""

    stored_as = "prompt_ensemble.captioners.blip2:Blip2Predictor"
    Options: ClassVar[type[Blip2Options]] = Blip2Options
    model_type: ClassVar[str] = "blip-2"
    default_weights: ClassVar[str] = "blip2-opt-2.7b"
    published = Generation(num_beams=5, max_length=30, min_length=1)
    """The authors' captioning in LAVIS."""
    options: Blip2Options

    def load(self, placement: Placement) -> Captioner:
        """The folder's model on the device, all in its precision: 2.7 billion numbers and more."""
        from transformers import Blip2ForConditionalGeneration

        from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner
        from prompt_ensemble.models.text_generation.token_rules import read_token_rules, tokens
        from prompt_ensemble.models.transformers_folders import (
            load_model,
            load_preprocessing,
            load_tokenizer,
            reader,
        )

        model = load_model(
            Blip2ForConditionalGeneration, self.path, self.model_type, placement.dtype
        )
        if not model.config.use_decoder_only_language_model:
            raise BadWeights(
                f"{self.path} speaks with {model.config.text_config.model_type!r}; only BLIP-2 "
                "with a decoder-only language model, such as blip2-opt-2.7b, is known here"
            )
        text, tokenizer = model.config.text_config, load_tokenizer(self.path)
        unsaid = tokenizer(self.options.prompt, add_special_tokens=False).input_ids
        # The language model ends as its own configuration says, whatever stands beside it.
        ends = tokens(text.eos_token_id)
        image = (model.config.image_token_index,) * model.config.num_query_tokens
        rules, end_is_free = read_token_rules(model.generation_config, self.path, ends, image)
        return SearchingCaptioner(
            load_preprocessing(self.path),
            partial(begin, model.to(placement.device)),
            prompt=[text.bos_token_id, *unsaid],
            end=ends[0],
            read=reader(tokenizer),
            generation=self.generation,
            longest=text.max_position_embeddings - model.config.num_query_tokens,
            rules=rules,
            end_is_free=end_is_free,
        )


def begin(model: Any, pixels: torch.Tensor) -> Decoding:
    """A decoding that has looked at the images once."""
    from prompt_ensemble.models.text_generation.prefixed_decoding import PrefixedDecoding

    pixels = pixels.to(model.dtype)
    return PrefixedDecoding(model.language_model, model.get_image_features(pixels).pooler_output)

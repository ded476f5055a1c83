"""Any vision tower with any text decoder: ``VisionEncoderDecoderModel`` folders (ViT-GPT2 …)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from prompt_ensemble.members.captioners.caption_predictor import CaptionPredictor
from prompt_ensemble.models.text_generation.generation import Generation

if TYPE_CHECKING:
    import torch

    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.text_generation.captioner import Captioner
    from prompt_ensemble.models.text_generation.decoding import Decoding


class EncoderDecoderPredictor(CaptionPredictor):
    """Generates as its folder's own files say, else as ViT-GPT2 is published."""

    stored_as = "prompt_ensemble.captioners.encoder_decoder:EncoderDecoderPredictor"
    model_type: ClassVar[str] = "vision-encoder-decoder"
    default_weights: ClassVar[str] = "vit-gpt2-image-captioning"
    published = Generation(num_beams=4, max_length=16)
    generation_files: ClassVar[tuple[str, ...]] = ("generation_config.json", "config.json")

    def load(self, placement: Placement) -> Captioner:
        """The folder's model on the device."""
        from transformers import VisionEncoderDecoderModel

        from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner
        from prompt_ensemble.models.text_generation.token_rules import read_token_rules
        from prompt_ensemble.models.transformers_folders import (
            load_model,
            load_preprocessing,
            load_tokenizer,
            reader,
        )

        model = load_model(VisionEncoderDecoderModel, self.path, self.model_type)
        start, *_ = self.tokens("decoder_start_token_id", model, model.decoder.config)
        ends = self.tokens("eos_token_id", model, model.decoder.config)
        rules, end_is_free = read_token_rules(model.generation_config, self.path, ends)
        return SearchingCaptioner(
            load_preprocessing(self.path),
            partial(begin, model.to(placement.device)),
            prompt=[start],
            end=ends[0],
            read=reader(load_tokenizer(self.path)),
            generation=self.generation,
            longest=model.decoder.config.max_position_embeddings,
            rules=rules,
            end_is_free=end_is_free,
        )


def begin(model: Any, pixels: torch.Tensor) -> Decoding:
    """A decoding that has looked at the images once."""
    from prompt_ensemble.models.text_generation.cached_decoding import CachedDecoding

    seen = model.encoder(pixel_values=pixels).last_hidden_state
    if hasattr(model, "enc_to_dec_proj"):
        seen = model.enc_to_dec_proj(seen)
    return CachedDecoding(model.decoder, seen)

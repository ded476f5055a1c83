"""Any vision tower with any text decoder: ``VisionEncoderDecoderModel`` folders (ViT-GPT2 …)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from prompt_ensemble.captioners.generation import Generation
from prompt_ensemble.captioners.predictor import CaptionPredictor
from prompt_ensemble.errors import BadWeights

if TYPE_CHECKING:
    import torch

    from prompt_ensemble.captioners.contract import Captioner
    from prompt_ensemble.captioners.decoding import Decoding
    from prompt_ensemble.device import Placement


class EncoderDecoderPredictor(CaptionPredictor):
    """Generates as its folder's own files say, else as ViT-GPT2 is published."""

    model_type: ClassVar[str] = "vision-encoder-decoder"
    default_weights: ClassVar[str] = "vit-gpt2-image-captioning"
    published = Generation(num_beams=4, max_length=16)
    generation_files: ClassVar[tuple[str, ...]] = ("config.json", "generation_config.json")

    def load(self, placement: Placement) -> Captioner:
        """The folder's model on the device."""
        from transformers import VisionEncoderDecoderModel

        from prompt_ensemble.captioners.hugging_face import (
            load_model,
            load_preprocessing,
            load_tokenizer,
            reader,
        )
        from prompt_ensemble.captioners.searching import SearchingCaptioner

        model = load_model(VisionEncoderDecoderModel, self.path, self.model_type)
        start, end = self.token("decoder_start_token_id", model), self.token("eos_token_id", model)
        return SearchingCaptioner(
            load_preprocessing(self.path),
            partial(begin, model.to(placement.device)),
            prompt=[start],
            end=end,
            read=reader(load_tokenizer(self.path)),
            generation=self.generation,
            longest=model.decoder.config.max_position_embeddings,
            end_is_free=model.generation_config.forced_eos_token_id is not None,
        )

    def token(self, name: str, model: Any) -> int:
        """A token that the folder's files must name."""
        for config in (model.generation_config, model.config, model.decoder.config):
            value = getattr(config, name, None)
            if value is not None:
                return int(value[0] if isinstance(value, list) else value)
        raise BadWeights(
            f"{self.path}: neither generation_config.json nor config.json say {name}, so captions "
            "could not begin or end; copy the whole model folder"
        )


def begin(model: Any, pixels: torch.Tensor) -> Decoding:
    """A decoding that has looked at the images once."""
    from prompt_ensemble.captioners.cached_decoding import CachedDecoding

    seen = model.encoder(pixel_values=pixels).last_hidden_state
    if hasattr(model, "enc_to_dec_proj"):
        seen = model.enc_to_dec_proj(seen)
    return CachedDecoding(model.decoder, seen)

"""Florence-2: image and question are read together, and the answer is the caption."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from prompt_ensemble.members.captioners.caption_predictor import CaptionOptions
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


@dataclass(frozen=True)
class _Florence2Options(CaptionOptions):
    """Florence-2's own option."""

    question: str = "What does the image describe?"
    """Its longer captions answer "Describe in detail what is shown in the image." and "Describe
    with a paragraph what is shown in the image."."""


class Florence2Predictor(TransformersCaptioner):
    """Florence-2 base or large, as folders of the transformers class (not of remote code)."""

    stored_as = "prompt_ensemble.captioners.florence2:Florence2Predictor"
    Options: ClassVar[type[_Florence2Options]] = _Florence2Options
    model_type: ClassVar[str] = "florence2"
    model_class: ClassVar[str] = "Florence2ForConditionalGeneration"
    default_weights: ClassVar[str] = "Florence-2-large"
    published = Generation(num_beams=3, max_length=100, no_repeat_ngram_size=3)
    """The call on the model card; its n-grams are in config.json."""
    options: _Florence2Options

    def decoder(self, model: Any, tokenizer: PreTrainedTokenizerBase) -> Decoder:
        """The decoder of the language model, whose encoder reads image and question."""
        text = model.config.text_config
        question = tokenizer(self.options.question).input_ids
        start, *_ = self.tokens("decoder_start_token_id", model, text)
        ends = self.tokens("eos_token_id", model, text)
        with_question = partial(begin, model, question)
        return Decoder(with_question, (start,), ends, text.max_position_embeddings)

    def logits(
        self, published: Published, pixels: torch.Tensor, tokens: torch.Tensor
    ) -> torch.Tensor:
        """The decoder attends to what the encoder made of image and question."""
        model = published.model
        states = _read_together(model, published.tokenizer(self.options.question).input_ids, pixels)
        decoder = model.model.language_model.decoder
        hidden = decoder(input_ids=tokens, encoder_hidden_states=states).last_hidden_state
        logits: torch.Tensor = model.lm_head(hidden)
        return logits


def begin(model: Any, question: list[int], pixels: torch.Tensor) -> Decoding:
    """A decoding that has read the images together with the question once."""
    from prompt_ensemble.models.text_generation.cached_decoding import CachedDecoding

    return CachedDecoding(partial(_answer, model), _read_together(model, question, pixels))


def _read_together(model: Any, question: list[int], pixels: torch.Tensor) -> torch.Tensor:
    """The encoder's states of each image and the question."""
    import torch

    ids = torch.tensor([question], device=pixels.device).expand(len(pixels), -1)
    words = model.get_input_embeddings()(ids)
    image = model.model.get_image_features(pixels).pooler_output.to(words.dtype)
    encoder = model.model.language_model.encoder
    states: torch.Tensor = encoder(inputs_embeds=torch.cat([image, words], 1)).last_hidden_state
    return states


def _answer(model: Any, input_ids: torch.Tensor, past_key_values: Any, **inputs: Any) -> Any:
    """The decoder's step, with logits.

    Without a mask the decoder makes one of its own and reads from it whether anything is masked,
    for which the processor would have to wait for the device at every word.
    """
    import torch

    new, before = input_ids.shape[1], past_key_values.get_seq_length() if past_key_values else 0
    earlier = torch.ones(new, before + new, dtype=torch.bool, device=input_ids.device).tril(before)
    output = model.model.language_model.decoder(
        input_ids=input_ids,
        past_key_values=past_key_values,
        attention_mask=earlier[None, None],
        **inputs,
    )
    output.logits = model.lm_head(output.last_hidden_state)
    return output

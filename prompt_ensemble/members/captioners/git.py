"""GIT: a CLIP vision tower whose patches come before the text of one small decoder."""

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


class GitPredictor(TransformersCaptioner):
    """GIT base or large, plain or tuned on COCO or TextCaps, as a transformers folder."""

    stored_as = "prompt_ensemble.captioners.git:GitPredictor"
    model_type: ClassVar[str] = "git"
    model_class: ClassVar[str] = "GitForCausalLM"
    default_weights: ClassVar[str] = "git-large-coco"
    published = Generation(num_beams=4, max_length=40, length_penalty=0.6)
    """The generator in the authors' own repository."""

    def decoder(self, model: Any, tokenizer: PreTrainedTokenizerBase) -> Decoder:
        """The text decoder that reads the image's patches before the words."""
        start, *_ = self.tokens("bos_token_id", model)
        ends = self.tokens("eos_token_id", model)
        longest = model.config.max_position_embeddings
        return Decoder(partial(begin, model), (start,), ends, longest)

    def logits(
        self, published: Published, pixels: torch.Tensor, tokens: torch.Tensor
    ) -> torch.Tensor:
        """The image's patches come first, and have logits of their own."""
        logits: torch.Tensor = published.model(
            input_ids=tokens, pixel_values=pixels, use_cache=False
        ).logits
        return logits[:, -tokens.shape[1] :]


def begin(model: Any, pixels: torch.Tensor) -> Decoding:
    """A decoding that has encoded the images once.

    Patches attend to each other but not to the text, so their keys and values are settled here.
    """
    from prompt_ensemble.models.text_generation.bert_decoding import PrefixDecoding, project

    git = model.git
    states = git.visual_projection(git.image_encoder(pixels).last_hidden_state)
    memory = []
    for layer in git.encoder.layer:
        memory.append(project(layer.attention.self, states))
        states = layer(states)
    return PrefixDecoding(git.encoder.layer, git.embeddings, model.output, memory)

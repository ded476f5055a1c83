"""GIT: a CLIP vision tower whose patches stand before the text of one small decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from prompt_ensemble.captioners.generation import Generation
from prompt_ensemble.captioners.predictor import CaptionPredictor

if TYPE_CHECKING:
    import torch

    from prompt_ensemble.captioners.contract import Captioner
    from prompt_ensemble.captioners.decoding import Decoding
    from prompt_ensemble.device import Placement


class GitPredictor(CaptionPredictor):
    """GIT base or large, plain or tuned on COCO or TextCaps, as a transformers folder."""

    model_type: ClassVar[str] = "git"
    default_weights: ClassVar[str] = "git-large-coco"
    published = Generation(num_beams=4, max_length=40, length_penalty=0.6)
    """The generator in the authors' own repository."""

    def load(self, placement: Placement) -> Captioner:
        """The folder's model on the device."""
        from functools import partial

        from transformers import GitForCausalLM

        from prompt_ensemble.captioners.hugging_face import (
            load_model,
            load_preprocessing,
            load_tokenizer,
            reader,
        )
        from prompt_ensemble.captioners.searching import SearchingCaptioner
        from prompt_ensemble.captioners.token_rules import read_token_rules

        model = load_model(GitForCausalLM, self.path, self.model_type).to(placement.device)
        (start, *_), ends = self.tokens("bos_token_id", model), self.tokens("eos_token_id", model)
        rules, end_is_free = read_token_rules(model.generation_config, self.path, ends)
        return SearchingCaptioner(
            load_preprocessing(self.path),
            partial(begin, model),
            prompt=[start],
            end=ends[0],
            read=reader(load_tokenizer(self.path)),
            generation=self.generation,
            longest=model.config.max_position_embeddings,
            rules=rules,
            end_is_free=end_is_free,
        )


def begin(model: Any, pixels: torch.Tensor) -> Decoding:
    """A decoding that has looked at the images once.

    Patches attend to each other but not to the text, so their keys and values are settled here.
    """
    from prompt_ensemble.captioners.bert_decoding import PrefixDecoding, project

    git = model.git
    states = git.visual_projection(git.image_encoder(pixels).last_hidden_state)
    memory = []
    for layer in git.encoder.layer:
        memory.append(project(layer.attention.self, states))
        states = layer(states)
    return PrefixDecoding(git.encoder.layer, git.embeddings, model.output, memory)

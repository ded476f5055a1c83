"""GIT: a CLIP vision tower whose patches stand before the text of one small decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from prompt_ensemble.members.captioners.caption_predictor import CaptionPredictor
from prompt_ensemble.models.text_generation.generation import Generation

if TYPE_CHECKING:
    import torch

    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.text_generation.captioner import Captioner
    from prompt_ensemble.models.text_generation.decoding import Decoding


class GitPredictor(CaptionPredictor):
    """GIT base or large, plain or tuned on COCO or TextCaps, as a transformers folder."""

    stored_as = "prompt_ensemble.captioners.git:GitPredictor"
    model_type: ClassVar[str] = "git"
    default_weights: ClassVar[str] = "git-large-coco"
    published = Generation(num_beams=4, max_length=40, length_penalty=0.6)
    """The generator in the authors' own repository."""

    def load(self, placement: Placement) -> Captioner:
        """The folder's model on the device."""
        from functools import partial

        from transformers import GitForCausalLM

        from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner
        from prompt_ensemble.models.text_generation.token_rules import read_token_rules
        from prompt_ensemble.models.transformers_folders import (
            load_model,
            load_preprocessing,
            load_tokenizer,
            reader,
        )

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
    from prompt_ensemble.models.text_generation.bert_decoding import PrefixDecoding, project

    git = model.git
    states = git.visual_projection(git.image_encoder(pixels).last_hidden_state)
    memory = []
    for layer in git.encoder.layer:
        memory.append(project(layer.attention.self, states))
        states = layer(states)
    return PrefixDecoding(git.encoder.layer, git.embeddings, model.output, memory)

"""A decoder that is a causal language model of transformers, GPT-2 and the like.

It reads the memory as if its rows were words before the text. So it needs no attention to images of
its own, and may stay as its authors published it: only what turns a memory into such words learns.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.models.text_decoder.decoder import DecoderSpec, TextDecoder
from prompt_ensemble.models.text_generation.cached_decoding import PrefixedDecoding
from prompt_ensemble.models.text_generation.decoding import Decoding
from prompt_ensemble.models.transformers_folders import quiet

NO_TOKEN = -1
"""Padding: published language models often have no token for it."""


class LanguageModelDecoder(TextDecoder):
    """The language model behind a small network that makes words of memory rows."""

    pad: ClassVar[int] = NO_TOKEN

    def __init__(self, spec: DecoderSpec) -> None:
        super().__init__()
        self.spec = spec
        width = spec.width
        self.prefix = nn.Sequential(
            nn.Linear(width, width), nn.GELU(), nn.Linear(width, width), nn.LayerNorm(width)
        )
        self.text = build_language_model(spec)

    def forward(self, tokens: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        words = self.text.get_input_embeddings()(tokens.clamp(min=0))
        seen = torch.cat([self.prefix(memory).to(words.dtype), words], 1)
        # Padding follows the text, so what comes before never attends to it.
        output = self.text(inputs_embeds=seen, use_cache=False, logits_to_keep=tokens.shape[1])
        logits: torch.Tensor = output.logits
        return logits

    def begin(self, memory: torch.Tensor) -> Decoding:
        return PrefixedDecoding(self.text, self.prefix(memory))


def build_language_model(spec: DecoderSpec) -> Any:
    """The network that the specification's config describes, with random weights."""
    config = dict(spec.language_model)
    model_class = causal_class(str(config.pop("model_type", "")))
    with quiet():
        return model_class(model_class.config_class.from_dict(config))


def causal_class(model_type: str) -> Any:
    """The class of transformers that writes text with networks of this kind."""
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    name = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(model_type)
    if not isinstance(name, str):
        raise BadWeights(
            f"model_type {model_type!r} is no causal language model of transformers; name a folder "
            "of one, such as gpt2, opt or llama"
        )
    return getattr(transformers, name)

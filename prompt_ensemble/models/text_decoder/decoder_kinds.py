"""Decoders by kind."""

from __future__ import annotations

from prompt_ensemble.models.text_decoder.decoder import (
    DecoderSpec,
    RecurrentDecoder,
    TextDecoder,
    TransformerDecoder,
)
from prompt_ensemble.models.text_decoder.language_model import LanguageModelDecoder

_KINDS = {
    "transformer": TransformerDecoder,
    "recurrent": RecurrentDecoder,
    "language-model": LanguageModelDecoder,
}


def build_decoder(spec: DecoderSpec) -> TextDecoder:
    """The network with random weights."""
    return _KINDS[spec.kind](spec)

"""The one table of model kinds. Adding a model is one file and one line here."""

from __future__ import annotations

from importlib import import_module

from prompt_ensemble.errors import BadConfig, nearest_name
from prompt_ensemble.predictors import Predictor

PREDICTORS: dict[str, str] = {
    "regressor": "prompt_ensemble.regression.predictor:RegressionPredictor",
    "phrases": "prompt_ensemble.retrieval.predictor:PhrasePredictor",
    "interrogator": "prompt_ensemble.retrieval.interrogator_predictor:InterrogatorPredictor",
    "neighbours": "prompt_ensemble.retrieval.neighbours:NeighbourPredictor",
    "ofa": "prompt_ensemble.captioners.ofa.captioner:OfaPredictor",
    "blip": "prompt_ensemble.captioners.blip:BlipPredictor",
    "git": "prompt_ensemble.captioners.git:GitPredictor",
    "coca": "prompt_ensemble.captioners.coca:CocaPredictor",
    "blip2": "prompt_ensemble.captioners.blip2:Blip2Predictor",
    "florence2": "prompt_ensemble.captioners.florence2:Florence2Predictor",
    "encoder-decoder": "prompt_ensemble.captioners.encoder_decoder:EncoderDecoderPredictor",
}
"""Kind → where its ``Predictor`` class is; imported only when asked for."""


def predictor_class(kind: str) -> type[Predictor]:
    """The class behind a kind, or an error that names the near match."""
    if kind not in PREDICTORS:
        raise BadConfig(f"unknown model kind {kind!r}; {nearest_name(kind, list(PREDICTORS))}")
    module, name = PREDICTORS[kind].split(":")
    found: type[Predictor] = getattr(import_module(module), name)
    return found

"""The one table of model kinds. Adding a model is one file and one line here."""

from __future__ import annotations

from importlib import import_module

from prompt_ensemble.core.errors import BadConfig, nearest_name
from prompt_ensemble.members.contract import Predictor

PREDICTORS: dict[str, str] = {
    "regressor": "prompt_ensemble.members.regressors.regression_predictor:RegressionPredictor",
    "phrases": "prompt_ensemble.members.phrases.phrase_predictor:PhrasePredictor",
    "interrogator": "prompt_ensemble.members.interrogator.interrogator_predictor:InterrogatorPredictor",  # noqa: E501
    "neighbours": "prompt_ensemble.members.neighbours.neighbour_predictor:NeighbourPredictor",
    "ofa": "prompt_ensemble.members.captioners.ofa:OfaPredictor",
    "blip": "prompt_ensemble.members.captioners.blip:BlipPredictor",
    "git": "prompt_ensemble.members.captioners.git:GitPredictor",
    "coca": "prompt_ensemble.members.captioners.coca:CocaPredictor",
    "blip2": "prompt_ensemble.members.captioners.blip2:Blip2Predictor",
    "florence2": "prompt_ensemble.members.captioners.florence2:Florence2Predictor",
    "encoder-decoder": "prompt_ensemble.members.captioners.encoder_decoder:EncoderDecoderPredictor",
}
"""Kind → where its ``Predictor`` class is; imported only when asked for."""


def predictor_class(kind: str) -> type[Predictor]:
    """The class behind a kind, or an error that names the near match."""
    if kind not in PREDICTORS:
        raise BadConfig(f"unknown model kind {kind!r}; {nearest_name(kind, list(PREDICTORS))}")
    module, name = PREDICTORS[kind].split(":")
    found: type[Predictor] = getattr(import_module(module), name)
    return found

"""The kinds of member: the package's own table, and what installed plugins add to it.

A member of this package is one file and one line here. A plugin is any installed distribution with
entry points in the group ``prompt_ensemble.members``, each a kind and ``module:Class``; a file of
this package need not change for it (``examples/plugin/``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import is_dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from prompt_ensemble.core.errors import BadConfig, BadPlugin, nearest_name
from prompt_ensemble.members.contract import Predictor

PREDICTORS: dict[str, str] = {
    "regressor": "prompt_ensemble.members.regressors.regression_predictor:RegressionPredictor",
    "phrases": "prompt_ensemble.members.phrases.phrase_predictor:PhrasePredictor",
    "interrogator": "prompt_ensemble.members.interrogator.interrogator_predictor:InterrogatorPredictor",  # noqa: E501
    "neighbours": "prompt_ensemble.members.neighbours.neighbour_predictor:NeighbourPredictor",
    "vote": "prompt_ensemble.members.votes.vote_predictor:VotePredictor",
    "captioner": "prompt_ensemble.members.captioners.trained_captioner:TrainedCaptionerPredictor",
    "ofa": "prompt_ensemble.members.captioners.ofa:OfaPredictor",
    "blip": "prompt_ensemble.members.captioners.blip:BlipPredictor",
    "git": "prompt_ensemble.members.captioners.git:GitPredictor",
    "coca": "prompt_ensemble.members.captioners.coca:CocaPredictor",
    "blip2": "prompt_ensemble.members.captioners.blip2:Blip2Predictor",
    "florence2": "prompt_ensemble.members.captioners.florence2:Florence2Predictor",
    "encoder-decoder": "prompt_ensemble.members.captioners.encoder_decoder:EncoderDecoderPredictor",
}
"""Kind → where its ``Predictor`` class is; imported only when asked for."""
_ENTRY_POINTS = "prompt_ensemble.members"
"""The group of entry points in which plugins offer their kinds."""


def predictor_class(kind: str) -> type[Predictor]:
    """The class behind a kind, or an error that names the near match."""
    offers = tuple(entry_points(group=_ENTRY_POINTS, name=kind))
    if kind in PREDICTORS:
        if offers:
            raise BadPlugin(
                f"{_distributions(offers)} offers the model kind {kind!r}, which is one of "
                "prompt-ensemble's own; uninstall it, or have its kind renamed"
            )
        module, name = PREDICTORS[kind].split(":")
        built_in: type[Predictor] = getattr(import_module(module), name)
        return built_in
    if not offers:
        known = [*PREDICTORS, *plugin_kinds()]
        raise BadConfig(f"unknown model kind {kind!r}; {nearest_name(kind, known)}")
    if len(offers) > 1:
        raise BadPlugin(
            f"the model kind {kind!r} is offered by {_distributions(offers)}; uninstall all but one"
        )
    return _import_plugin(offers[0])


def plugin_kinds() -> dict[str, str]:
    """Kinds that installed plugins offer → their distributions; nothing is imported."""
    offers: dict[str, list[EntryPoint]] = {}
    for offer in entry_points(group=_ENTRY_POINTS):
        offers.setdefault(offer.name, []).append(offer)
    return {kind: _distributions(offers[kind]) for kind in sorted(offers)}


def _import_plugin(offer: EntryPoint) -> type[Predictor]:
    """The class of a plugin; what goes wrong in its code is one line that names who wrote it."""
    place = f"the model kind {offer.name!r} of {_distributions([offer])}"
    try:
        offered = offer.load()
    except Exception as error:  # its module may raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise BadPlugin(
            f"{place} cannot be imported ({reason}); reinstall or update that package"
        ) from error
    if not (isinstance(offered, type) and issubclass(offered, Predictor)):
        raise BadPlugin(f"{place} is {offer.value}, which is no subclass of Predictor")
    if lacking := getattr(offered, "__abstractmethods__", None):
        raise BadPlugin(f"{place} lacks {', '.join(sorted(lacking))}, which every member offers")
    if not is_dataclass(getattr(offered, "Options", None)):
        raise BadPlugin(f"{place} has no dataclass 'Options'; give it one, if need be empty")
    return offered


def _distributions(offers: Sequence[EntryPoint]) -> str:
    """Names and versions of the distributions that offer these kinds."""
    named = (f"{offer.dist.name} {offer.dist.version}" for offer in offers if offer.dist)
    return " and ".join(sorted(named)) or "an unnamed distribution"

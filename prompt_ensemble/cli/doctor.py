"""``doctor``: what this machine has, which presets run on it, and why the others do not."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prompt_ensemble.cli import options

if TYPE_CHECKING:
    from prompt_ensemble.models.weights import WeightRoots
    from prompt_ensemble.run.config import MemberConfig, RunConfig
    from prompt_ensemble.words.options import WordsOptions

_READY = "ready"


@dataclass(frozen=True)
class _Diagnosis:
    """What a machine has and can run."""

    placement: str
    device: str
    versions: dict[str, str]
    weight_folders: list[str]
    presets: dict[str, dict[str, str]]
    """Preset → member, ``(prior)`` or ``(words)`` → ``ready`` or why it cannot run."""
    plugins: dict[str, str]
    """Kind and distribution of each plugin → ``ready`` or why it cannot be imported."""


@click.command("doctor")
@click.option(
    "--config", type=click.Path(path_type=Path), metavar="FILE.toml",
    help="Look at the members of this ensemble instead of the presets.",
)  # fmt: skip
@options.weights
@options.device
@options.precision
@options.as_json
def command(
    config: Path | None, weights: tuple[Path, ...], device: str, precision: str, as_json: bool
) -> None:
    """Device, precision, versions, and for every member of every preset whether it can run."""
    from prompt_ensemble.models.device import choose_placement
    from prompt_ensemble.models.weights import WeightRoots
    from prompt_ensemble.run.config import load_config
    from prompt_ensemble.run.results import RECORDED_PACKAGES, installed_versions

    roots = WeightRoots.usual(weights)
    diagnosis = _Diagnosis(
        placement=str(choose_placement(device, precision)),
        device=_device_name(device),
        versions=installed_versions(RECORDED_PACKAGES),
        weight_folders=[str(folder) for folder in roots.folders],
        presets=_ensemble_states([load_config(config)] if config else _every_preset(), roots),
        plugins=_plugin_states(),
    )
    click.echo(json.dumps(asdict(diagnosis)) if as_json else "\n".join(_lines(diagnosis)))


def _device_name(device: str) -> str:
    """The name of the GPU, or what else runs the models."""
    import os

    import torch

    from prompt_ensemble.models.device import choose_device

    chosen = choose_device(device)
    if chosen.type == "cuda":
        return torch.cuda.get_device_name(chosen)
    return f"{chosen.type}, {os.cpu_count()} cores"


def _every_preset() -> list[RunConfig]:
    """The presets that come with the package."""
    from prompt_ensemble.run.config import load_preset, preset_names

    return [load_preset(preset) for preset in preset_names()]


def _ensemble_states(
    ensembles: Sequence[RunConfig], roots: WeightRoots
) -> dict[str, dict[str, str]]:
    """Every member of every ensemble, and the priors that they name."""
    from prompt_ensemble.run.members import open_members
    from prompt_ensemble.run.prior import prior_of

    states = {}
    for config in ensembles:
        states[config.name] = {
            member.name: _state(_check_member, member, roots) for member in config.members
        }
        if set(states[config.name].values()) == {_READY}:
            together = _state(open_members, config, roots)
            states[config.name] |= {} if together == _READY else {"(members)": together}
        if config.prior or config.prior_weight:
            states[config.name]["(prior)"] = _state(prior_of, config, roots)
        if config.words:
            states[config.name]["(words)"] = _state(_check_words, config.words, roots)
    return states


def _check_words(words: WordsOptions, roots: WeightRoots) -> None:
    """The writer and the phrases of a configuration are there and whole."""
    from prompt_ensemble.models.device import choose_placement
    from prompt_ensemble.words.answer import Speaker

    Speaker(words, roots, choose_placement("cpu")).check()


def _plugin_states() -> dict[str, str]:
    """Every kind that a plugin offers, and whether it can be imported."""
    from prompt_ensemble.members.registry import plugin_kinds, predictor_class

    return {
        f"{kind} ({plugin})": _state(predictor_class, kind)
        for kind, plugin in plugin_kinds().items()
    }


def _check_member(member: MemberConfig, roots: WeightRoots) -> None:
    """All that a run looks for before it loads the member's model."""
    from prompt_ensemble.run.members import make_predictor

    make_predictor(member, roots).check()


def _state(begin: Callable[..., object], *arguments: object) -> str:
    """``ready``, or the error that running would begin with."""
    from prompt_ensemble.core.errors import PromptEnsembleError

    try:
        begin(*arguments)
    except PromptEnsembleError as error:
        return str(error)
    return _READY


def _lines(diagnosis: _Diagnosis) -> list[str]:
    """The diagnosis as lines for a person."""
    text = [
        f"{diagnosis.device}, models run on {diagnosis.placement}",
        ", ".join(f"{name} {number}" for name, number in diagnosis.versions.items()),
        f"weights are looked for in {', '.join(diagnosis.weight_folders)}",
    ]
    for preset, members in diagnosis.presets.items():
        ready = all(member_state == _READY for member_state in members.values())
        text.append(f"preset {preset}: {'ready' if ready else 'not ready'}")
        text += [f"  {name}: {member_state}" for name, member_state in members.items()]
    text += [f"plugin {plugin}: {its_state}" for plugin, its_state in diagnosis.plugins.items()]
    return text

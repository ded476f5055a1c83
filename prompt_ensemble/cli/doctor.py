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

READY = "ready"


@dataclass(frozen=True)
class Diagnosis:
    """What a machine has and can run."""

    placement: str
    device: str
    versions: dict[str, str]
    weight_folders: list[str]
    presets: dict[str, dict[str, str]]
    """Preset → member or ``(prior)`` → ``ready`` or why it cannot run."""
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
    found = Diagnosis(
        placement=str(choose_placement(device, precision)),
        device=device_name(device),
        versions=installed_versions(RECORDED_PACKAGES),
        weight_folders=[str(folder) for folder in roots.folders],
        presets=ensemble_states([load_config(config)] if config else every_preset(), roots),
        plugins=plugin_states(),
    )
    click.echo(json.dumps(asdict(found)) if as_json else "\n".join(lines(found)))


def device_name(device: str) -> str:
    """What a person calls the device."""
    import os

    import torch

    from prompt_ensemble.models.device import choose_device

    chosen = choose_device(device)
    if chosen.type == "cuda":
        return torch.cuda.get_device_name(chosen)
    return f"{chosen.type}, {os.cpu_count()} cores"


def every_preset() -> list[RunConfig]:
    """The presets that come with the package."""
    from prompt_ensemble.run.config import load_preset, preset_names

    return [load_preset(preset) for preset in preset_names()]


def ensemble_states(
    ensembles: Sequence[RunConfig], roots: WeightRoots
) -> dict[str, dict[str, str]]:
    """Every member of every ensemble, and the priors that they name."""
    from prompt_ensemble.run.members import open_members
    from prompt_ensemble.run.prior import prior_of

    states = {}
    for config in ensembles:
        states[config.name] = {
            member.name: state(check_member, member, roots) for member in config.members
        }
        if set(states[config.name].values()) == {READY}:
            together = state(open_members, config, roots)
            states[config.name] |= {} if together == READY else {"(members)": together}
        if config.prior or config.prior_weight:
            states[config.name]["(prior)"] = state(prior_of, config, roots)
    return states


def plugin_states() -> dict[str, str]:
    """Every kind that a plugin offers, and whether it can be imported."""
    from prompt_ensemble.members.registry import plugin_kinds, predictor_class

    return {
        f"{kind} ({plugin})": state(predictor_class, kind)
        for kind, plugin in plugin_kinds().items()
    }


def check_member(member: MemberConfig, roots: WeightRoots) -> None:
    """All that a run looks for before it loads the member's model."""
    from prompt_ensemble.run.members import make_predictor

    make_predictor(member, roots).check()


def state(begin: Callable[..., object], *arguments: object) -> str:
    """``ready``, or the error that running would begin with."""
    from prompt_ensemble.core.errors import PromptEnsembleError

    try:
        begin(*arguments)
    except PromptEnsembleError as error:
        return str(error)
    return READY


def lines(found: Diagnosis) -> list[str]:
    """The same for a person."""
    text = [
        f"{found.device}, models run on {found.placement}",
        ", ".join(f"{name} {number}" for name, number in found.versions.items()),
        f"weights are looked for in {', '.join(found.weight_folders)}",
    ]
    for preset, members in found.presets.items():
        ready = all(member_state == READY for member_state in members.values())
        text.append(f"preset {preset}: {'ready' if ready else 'not ready'}")
        text += [f"  {name}: {member_state}" for name, member_state in members.items()]
    text += [f"plugin {plugin}: {its_state}" for plugin, its_state in found.plugins.items()]
    return text

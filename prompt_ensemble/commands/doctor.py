"""``doctor``: what this machine has, which presets run on it, and why the others do not."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prompt_ensemble.commands import options

if TYPE_CHECKING:
    from prompt_ensemble.config import MemberConfig
    from prompt_ensemble.weights import WeightRoots

READY = "ready"


@dataclass(frozen=True)
class Diagnosis:
    """What a machine has and can run."""

    placement: str
    device: str
    versions: dict[str, str]
    weight_folders: list[str]
    presets: dict[str, dict[str, str]]
    """Preset → member → ``ready`` or why it cannot run."""


@click.command("doctor")
@options.weights
@options.device
@options.precision
@options.as_json
def command(weights: tuple[Path, ...], device: str, precision: str, as_json: bool) -> None:
    """Device, precision, versions, and for every member of every preset whether it can run."""
    from prompt_ensemble.device import choose_placement
    from prompt_ensemble.outputs import RECORDED_PACKAGES, installed_versions
    from prompt_ensemble.weights import WeightRoots

    roots = WeightRoots.usual(weights)
    found = Diagnosis(
        placement=str(choose_placement(device, precision)),
        device=device_name(device),
        versions=installed_versions(RECORDED_PACKAGES),
        weight_folders=[str(folder) for folder in roots.folders],
        presets=preset_states(roots),
    )
    click.echo(json.dumps(asdict(found)) if as_json else "\n".join(lines(found)))


def device_name(device: str) -> str:
    """What a person calls the device."""
    import os

    import torch

    from prompt_ensemble.device import choose_device

    chosen = choose_device(device)
    if chosen.type == "cuda":
        return torch.cuda.get_device_name(chosen)
    return f"{chosen.type}, {os.cpu_count()} cores"


def preset_states(roots: WeightRoots) -> dict[str, dict[str, str]]:
    """The members of every preset that comes with the package."""
    from prompt_ensemble.config import load_preset, preset_names

    return {
        preset: {member.name: state(member, roots) for member in load_preset(preset).members}
        for preset in preset_names()
    }


def state(member: MemberConfig, roots: WeightRoots) -> str:
    """``ready``, or the error that running the member would begin with."""
    from prompt_ensemble.errors import PromptEnsembleError
    from prompt_ensemble.members import make_predictor

    try:
        make_predictor(member, roots)
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
    return text

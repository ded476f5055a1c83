"""``weights``: which models are known, which are here, and whether their files are whole."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prompt_ensemble.cli import options

if TYPE_CHECKING:
    from prompt_ensemble.models.weights import WeightRoots


@click.group("weights")
def command() -> None:
    """List, verify and locate model weights."""


@command.command("list")
@options.weights
@options.as_json
def list_weights(weights: tuple[Path, ...], as_json: bool) -> None:
    """Every known model, where it lies, what a captioner generates with; and plugins' kinds."""
    from prompt_ensemble.members.captioners.defaults import default_generation
    from prompt_ensemble.members.registry import plugin_kinds
    from prompt_ensemble.models.weights import WeightRoots, load_manifest

    roots = WeightRoots.usual(weights)
    places = {entry: _located(roots, entry.name) for entry in load_manifest().values()}
    generations = {
        entry: generation
        for entry, path in places.items()
        if (generation := default_generation(entry.kind, path, roots))
    }
    if as_json:
        rows = [
            asdict(entry)
            | {"path": path and str(path)}
            | ({"generation": asdict(generations[entry])} if entry in generations else {})
            for entry, path in places.items()
        ]
        rows += [
            {"name": "", "kind": kind, "source": f"plugin {plugin}", "path": None}
            for kind, plugin in plugin_kinds().items()
        ]
        click.echo(json.dumps(rows))
        return
    for entry, path in places.items():
        click.echo(f"{entry.name:50} {entry.kind:16} {path or 'not here: ' + entry.source}")
        if entry in generations:
            click.echo(f"{'':4}{generations[entry].brief()}")
    for kind, plugin in plugin_kinds().items():
        click.echo(f"{'(weights as you name them)':50} {kind:16} plugin {plugin}")


@command.command("where")
@click.argument("name")
@options.weights
def where(name: str, weights: tuple[Path, ...]) -> None:
    """Print where model NAME lies."""
    from prompt_ensemble.models.weights import WeightRoots

    click.echo(WeightRoots.usual(weights).locate(name).path)


@command.command("verify")
@click.argument("names", nargs=-1)
@options.weights
@options.as_json
def verify(names: tuple[str, ...], weights: tuple[Path, ...], as_json: bool) -> None:
    """Compare the files of NAMES (default: all that are here) with the manifest's digests."""
    from prompt_ensemble.models.weights import WeightRoots, load_manifest

    roots = WeightRoots.usual(weights)
    here = [name for name in load_manifest() if _located(roots, name)]
    faults_of = {name: _file_faults(roots, name) for name in names or here}
    if as_json:
        click.echo(json.dumps(faults_of))
    else:
        for name, faults in faults_of.items():
            click.echo(f"{name:32} {'; '.join(faults) or 'whole'}")
    if any(faults_of.values()):
        click.get_current_context().exit(1)


def _located(roots: WeightRoots, name: str) -> Path | None:
    """Where a model lies, or None."""
    from prompt_ensemble.core.errors import MissingWeights

    try:
        return roots.locate(name).path
    except MissingWeights:
        return None


def _file_faults(roots: WeightRoots, name: str) -> list[str]:
    """What is wrong with the files of a model, every byte of them read."""
    from prompt_ensemble.core.files import file_digest
    from prompt_ensemble.models.weights import damaged_files

    return damaged_files(roots.locate(name), file_digest)

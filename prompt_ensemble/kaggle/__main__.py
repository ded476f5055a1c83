"""What the make targets call: ``python -m prompt_ensemble.kaggle render|pack``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from prompt_ensemble.core.errors import PromptEnsembleError
from prompt_ensemble.kaggle.packing import pack_dataset
from prompt_ensemble.kaggle.rendering import render_kernels

username = click.option("--username", required=True, help="Of Kaggle.")
out = click.option("--out", required=True, type=click.Path(path_type=Path))


@click.group()
def group() -> None:
    """Prepare kernels and the dataset they start from."""


@group.command("render")
@click.argument("kernels", type=click.Path(path_type=Path))
@username
@click.option("--preset", default="", help="The ensemble that the kernels run.")
@out
def render(kernels: Path, username: str, preset: str, out: Path) -> None:
    """Write the kernels of folder KERNELS as they are pushed."""
    for folder in render_kernels(kernels, out, username, preset or None):
        click.echo(f"kaggle kernels push -p {folder}")


@group.command("pack")
@click.argument("wheel", type=click.Path(path_type=Path))
@click.argument("weights", nargs=-1, type=click.Path(path_type=Path))
@username
@out
def pack(wheel: Path, weights: tuple[Path, ...], username: str, out: Path) -> None:
    """Pack WHEEL and model WEIGHTS (files or folders) as a dataset."""
    click.echo(f"kaggle datasets create -p {pack_dataset(wheel, weights, out, username)}")


if __name__ == "__main__":
    try:
        group()
    except PromptEnsembleError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)

"""Options that several commands share, worded once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from prompt_ensemble.core.progress import Progress

_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

images = click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
weights = click.option(
    "--weights",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder with model weights, searched first; repeatable.",
)
device = click.option(
    "--device", default="auto", show_default=True, metavar="auto|cpu|cuda|cuda:N|mps",
    help="Where models run.",
)  # fmt: skip
precision = click.option(
    "--precision", default="auto", show_default=True,
    type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
    help="How matrices are multiplied; auto is bf16 or fp16 on a GPU and fp32 on a CPU.",
)  # fmt: skip
workers = click.option(
    "--workers", type=click.IntRange(min=1), help="Threads that read images [default: all cores]."
)
quiet = click.option("--quiet", is_flag=True, help="Show no progress.")
sample = click.option(
    "--sample", type=click.Path(path_type=Path), help="sample_submission.csv, for its order."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
bad_images = click.option(
    "--on-bad-image", default="fail", show_default=True, type=click.Choice(["fail", "prior"]),
    help="Stop at unreadable images, or fill their rows with the preset's prior.",
)  # fmt: skip


def together(*options: _Decorator) -> _Decorator:
    """Several options as one decorator, in the order given."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def shown_progress(quiet: bool) -> Progress:
    """The progress of a command that prints rows: on a terminal the rows themselves are it."""
    import sys

    from prompt_ensemble.core.progress import bar, silent

    return silent if quiet or sys.stdout.isatty() else bar


preset = click.option(
    "--preset", default="embedded", show_default=True, help="An ensemble by name."
)
config = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="An ensemble of your own.",
)
ensemble = together(preset, config)
running = together(weights, device, precision, workers, quiet)
devices = click.option(
    "--device", default="auto", show_default=True, metavar="auto|cpu|cuda|cuda:N|mps|all",
    help="Where models run; several with commas between them, or all CUDA devices, share the work.",
)  # fmt: skip


def read_settings(pairs: tuple[str, ...]) -> dict[str, Any]:
    """``KEY=VALUE`` settings as a table; values are TOML, and plain words are texts."""
    import tomllib

    settings = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise click.BadParameter(f"{pair!r} is not KEY=VALUE", param_hint="--set")
        try:
            settings[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            settings[key.strip()] = value
    return settings

"""``generate``: images from prompts, and the listing of pairs that training reads."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prompt_ensemble.cli import options
from prompt_ensemble.cli.plan import spoken

if TYPE_CHECKING:
    from prompt_ensemble.generating.cost import GenerationCost
    from prompt_ensemble.generating.generate import Generated


@click.command("generate")
@click.argument("prompts", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--model", "name", required=True, metavar="NAME",
    help="A folder of diffusers or a checkpoint file in the original layout, by path or name.",
)  # fmt: skip
@click.option(
    "--architecture", default="", metavar="sd-1|sd-2-base|sd-2-v|sdxl|DIR",
    help="Of a checkpoint file whose tensors do not tell; or a folder of diffusers' small files.",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the images.")
@click.option("--recipe", type=click.Path(path_type=Path), help="TOML file of recipe keys.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="One recipe key.")
@click.option("--column", default="prompt", show_default=True, help="Of parquet files.")
@click.option(
    "--part", metavar="I/N", help="Draw one of N shares; run once more without to list all."
)
@click.option(
    "--plan", "count", type=click.IntRange(min=1), metavar="N",
    help="Draw one batch, write nothing, and say what N images would take.",
)  # fmt: skip
@click.option(
    "--source", default="generated", show_default=True, help="Of the pairs, in the listing."
)
@click.option("--tier", default="A", show_default=True, help="Likewise.")
@options.weights
@options.devices
@options.quiet
@options.as_json
def command(
    prompts: tuple[Path, ...],
    name: str,
    architecture: str,
    out: Path | None,
    recipe: Path | None,
    settings: tuple[str, ...],
    column: str,
    part: str | None,
    count: int | None,
    source: str,
    tier: str,
    weights: tuple[Path, ...],
    device: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Draw the prompts of files (text, CSV, JSON lines, parquet) with a diffusion model.

    Images are PNG files that carry their prompt and settings as AUTOMATIC1111 writes them. The same
    command continues a run that was stopped, and ends in the same bytes.
    """
    from prompt_ensemble.core.progress import bar, silent
    from prompt_ensemble.generating.cost import measure_cost
    from prompt_ensemble.generating.drawings import parse_part
    from prompt_ensemble.generating.generate import GenerationJob, PromptList, generate
    from prompt_ensemble.generating.image_folder import ImageFolder, Labels
    from prompt_ensemble.generating.image_model import ImageModel
    from prompt_ensemble.generating.recipe import GenerationRecipe
    from prompt_ensemble.models.device import choose_placements
    from prompt_ensemble.models.weights import WeightRoots
    from prompt_ensemble.training.recipe_files import read_recipe

    if (out is None) == (count is None):
        raise click.UsageError("give either --out DIR or --plan N")
    choices = read_recipe(GenerationRecipe, recipe, options.read_settings(settings))
    model = ImageModel(WeightRoots.usual(weights).locate(name).path, architecture)
    placements = choose_placements(device, choices.precision)
    listed = PromptList(prompts, column)
    if count is not None:
        cost = measure_cost(listed, model, choices, placements[0])
        shown = _cost_record if as_json else planned
        click.echo(shown(cost, count, len(placements)))
        return
    assert out is not None
    done = generate(
        GenerationJob(listed, model, choices, ImageFolder(out)), placements,
        parse_part(part) if part else None, Labels(source, tier), silent if quiet else bar,
    )  # fmt: skip
    click.echo(_record(done) if as_json else summary(done, out))


def summary(done: Generated, out: Path) -> str:
    """What there is, and how fast it came."""
    flagged = f", {done.flagged} flagged by the safety checker" if done.flagged else ""
    made = (
        f"{done.made} made now, {done.images_per_second:.2f} a second" if done.made else "none new"
    )
    return f"{done.images} images in {out} ({made}){flagged}"


def planned(cost: GenerationCost, count: int, devices: int) -> str:
    """The measured rate, and hours and minutes for all images."""
    shared = f" on {devices} devices" if devices > 1 else ""
    return (
        f"{1 / cost.seconds_per_image:.3g} images/s on one device, loaded in "
        f"{cost.load_seconds:.1f}s, peak {cost.peak_memory // 1_000_000} MB\n"
        f"{count} images{shared}: {spoken(cost.seconds(count, devices))}"
    )


def _record(done: Generated) -> str:
    """For a program."""
    return json.dumps(asdict(done) | {"images_per_second": done.images_per_second})


def _cost_record(cost: GenerationCost, count: int, devices: int) -> str:
    """For a program."""
    seconds = round(cost.seconds(count, devices), 1)
    return json.dumps(asdict(cost) | {"images": count, "devices": devices, "seconds": seconds})

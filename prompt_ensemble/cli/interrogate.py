"""``interrogate``: images to prompts, made of a caption and phrases near to them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prompt_ensemble.cli import options

if TYPE_CHECKING:
    from prompt_ensemble.core.outputs import Outputs
    from prompt_ensemble.core.progress import Progress
    from prompt_ensemble.images.survey import Album
    from prompt_ensemble.members.interrogator.interrogator_predictor import InterrogatorPredictor
    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.weights import WeightRoots


@click.command("interrogate")
@options.images
@click.option(
    "--mode", default="fast", show_default=True,
    type=click.Choice(["classic", "fast", "best", "negative", "caption"]),
    help="fast: the nearest phrases; classic: medium, artist, site, movement, flavors; best: the "
    "nearest of these and a greedy chain; negative: a chain that leads away; caption: it alone.",
)  # fmt: skip
@click.option("--model", "tower", default="", metavar="NAME",
    help="Weights of the tower: open_clip's or transformers' CLIP [default: the embedded one].",
)  # fmt: skip
@click.option("--captioner", default="", metavar="NAME", help="A captioner whose words come first.")
@click.option("--captions", type=click.Path(path_type=Path), metavar="FILE.jsonl",
    help="Captions to begin with, as 'caption --out' writes them.")  # fmt: skip
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE",
    help="An option, e.g. architecture=ViT-L-14/openai or flavors=12; repeatable.")  # fmt: skip
@click.option("--batch-size", default=32, show_default=True, type=click.IntRange(min=1))
@options.as_json
@options.running
def command(
    images: tuple[Path, ...], mode: str, tower: str, captioner: str, captions: Path | None,
    pairs: tuple[str, ...], batch_size: int, as_json: bool, weights: tuple[Path, ...],
    device: str, precision: str, workers: int | None, quiet: bool,
) -> None:  # fmt: skip
    """Say which prompts could have made IMAGES (folders or files): id, tab, prompt."""
    from prompt_ensemble.cli.caption import complain
    from prompt_ensemble.core.progress import bar, silent
    from prompt_ensemble.images.find import find_images
    from prompt_ensemble.images.survey import survey
    from prompt_ensemble.models.device import choose_placement
    from prompt_ensemble.models.weights import WeightRoots
    from prompt_ensemble.run.inference_loop import run_batches

    roots, placement = WeightRoots.usual(weights), choose_placement(device, precision)
    settings = {"mode": mode, **options.read_settings(pairs)}
    if settings["mode"] == "caption" and not (captioner or captions):
        raise click.UsageError(
            "mode caption says the captions alone; name a captioner with --captioner, or a file "
            "of captions with --captions"
        )
    if captioner and captions:
        raise click.UsageError("give either --captioner or --captions")
    if captioner or captions:
        settings["captions_from"] = "captions"
    member = interrogator(tower, settings, roots, silent if quiet else bar)
    album = survey(find_images(images), workers=workers)
    beside = {}
    if captions:
        beside["captions"] = read_captions(captions)
    elif captioner:
        beside["captions"] = caption_with(captioner, album, placement, roots, batch_size)
    opened = member.open(placement, beside)
    for outputs in run_batches(opened, album.good, placement, batch_size, workers):
        show(outputs, as_json)
    complain(album)


def interrogator(
    tower: str, settings: dict[str, object], roots: WeightRoots, progress: Progress
) -> InterrogatorPredictor:
    """The member, its options checked."""
    from prompt_ensemble.core.typed_tables import from_table
    from prompt_ensemble.members.interrogator.interrogator_predictor import (
        InterrogatorOptions,
        InterrogatorPredictor,
    )

    chosen = from_table(InterrogatorOptions, settings, "--set")
    member = InterrogatorPredictor(tower, chosen, roots)
    member.progress = progress
    return member


def caption_with(
    name: str, album: Album, placement: Placement, roots: WeightRoots, batch_size: int
) -> Outputs:
    """Captions of the readable images by a captioner of ours, which then leaves the device."""
    from prompt_ensemble.cli.caption import find_member
    from prompt_ensemble.core.outputs import join
    from prompt_ensemble.models.device import release
    from prompt_ensemble.run.inference_loop import run_batches

    predictor = find_member(name, {}, batch_size, roots).predictor
    opened = predictor.open(placement, {})
    found = join(list(run_batches(opened, album.good, placement, batch_size)))
    del opened
    release(placement)
    return found


def read_captions(path: Path) -> Outputs:
    """Captions from a file of JSON rows."""
    from prompt_ensemble.core.outputs import Line, Outputs
    from prompt_ensemble.core.records import read_objects, reading

    what = "a caption with its image_id, as 'prompt-ensemble caption --out' writes them"
    said: dict[str, str] = {}
    for where, row in read_objects(path, what):
        with reading(where, what):
            said.setdefault(str(row["image_id"]), str(row["caption"]))
    return Outputs.of_lines(tuple(said), [[Line("caption", text, 0.0)] for text in said.values()])


def show(outputs: Outputs, as_json: bool) -> None:
    """A line per image, as soon as it is there."""
    for image_id, (prompt, *parts) in rows_of(outputs):
        if as_json:
            phrases = [{"kind": p.kind, "text": p.text, "score": round(p.score, 4)} for p in parts]
            row = {"image_id": image_id, "prompt": prompt.text, "phrases": phrases}
            click.echo(json.dumps(row, ensure_ascii=False))
        else:
            click.echo(f"{image_id}\t{prompt.text}")


def rows_of(outputs: Outputs) -> Iterator[tuple[str, tuple]]:
    """Ids and lines."""
    return zip(outputs.image_ids, outputs.lines, strict=True)

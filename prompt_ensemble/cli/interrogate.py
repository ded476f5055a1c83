"""``interrogate``: images to prompts, made of a caption and phrases near to them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prompt_ensemble.cli import options
from prompt_ensemble.cli.unreadable import report_unreadable

if TYPE_CHECKING:
    from prompt_ensemble.core.outputs import Outputs
    from prompt_ensemble.run.member_run import MemberOutputs

CAPTIONS = "captions"
"""The member that says them, or the file that holds them, as the interrogator knows it."""


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
    """Say which prompts could have made IMAGES (folders or files): id, tab, prompt.

    Without --model, --captioner or --captions the preset ``embedded`` is asked first: its prompt in
    words comes first, and phrases follow as they bring the whole nearer to its blend.
    """
    from prompt_ensemble.run.blend_outputs import AGAINST_BLEND
    from prompt_ensemble.run.captioner_members import find_captioner_member
    from prompt_ensemble.run.config import MemberConfig, RunConfig
    from prompt_ensemble.run.ensemble import load_ensemble
    from prompt_ensemble.run.members import make_member

    settings = {"mode": mode, **options.read_settings(pairs)}
    if settings["mode"] == "caption" and not (captioner or captions):
        raise click.UsageError(
            "mode caption says the captions alone; name a captioner with --captioner, or a file "
            "of captions with --captions"
        )
    if captioner and captions:
        raise click.UsageError("give either --captioner or --captions")
    if captioner or captions:
        settings["captions_from"] = CAPTIONS
    alone = not (tower or captioner or captions)
    if alone:
        settings |= AGAINST_BLEND
    with load_ensemble(
        "embedded" if alone else RunConfig("interrogate", ()),
        weights=weights, device=device, precision=precision,
        workers=workers, progress=options.shown_progress(quiet), memory_budget=0,
    ) as ensemble:  # fmt: skip
        config = MemberConfig("interrogator", "interrogator", tower, 1.0, batch_size, settings)
        member = make_member(config, ensemble.roots)
        speaker = (
            find_captioner_member(captioner, {}, ensemble.roots, batch_size) if captioner else None
        )
        album = ensemble.survey(list(images))
        needed = None
        if captions:
            needed = {CAPTIONS: read_captions(captions)}
        elif speaker:
            needed = {CAPTIONS: ensemble.member_outputs(speaker, album)}
        for outputs in ensemble.outputs(member, album, needed, batches_per_shard=1):
            show(outputs, as_json)
    report_unreadable(album)


def read_captions(path: Path) -> MemberOutputs:
    """Captions from a file of JSON rows."""
    from prompt_ensemble.core.files import file_digest
    from prompt_ensemble.core.outputs import Line, Outputs
    from prompt_ensemble.core.records import read_objects, reading
    from prompt_ensemble.run.member_run import MemberOutputs

    what = "a caption with its image_id, as 'prompt-ensemble caption --out' writes them"
    captions: dict[str, str] = {}
    for where, row in read_objects(path, what):
        with reading(where, what):
            captions.setdefault(str(row["image_id"]), str(row["caption"]))
    lines = [[Line("caption", text, 0.0)] for text in captions.values()]
    return MemberOutputs(Outputs.of_lines(tuple(captions), lines), {"file": file_digest(path)})


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

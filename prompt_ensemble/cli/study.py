"""``study``: which of several captioners is better, by how much, and why."""

from __future__ import annotations

import json
from pathlib import Path

import click

from prompt_ensemble.cli import options
from prompt_ensemble.cli.unreadable import report_left_out


@click.group("study")
def command() -> None:
    """Compare models under the same conditions."""


@command.command("captioners")
@click.option(
    "--data", "listings", required=True, multiple=True, type=click.Path(path_type=Path),
    help="JSON lines with 'image' and 'prompt' or 'captions', perhaps 'source'; repeatable. They "
    "must be images that no captioner was trained on.",
)  # fmt: skip
@click.option(
    "--images", multiple=True, type=click.Path(path_type=Path),
    help="Folder below which the images lie; several may be given. Default: next to the data.",
)  # fmt: skip
@click.option(
    "--model", "models", multiple=True, metavar="NAME=CAPTIONER",
    help="A captioner to compare: a kind, or the name or path of a model's folder. Runs of one "
    "training with other seeds are given under one name.",
)  # fmt: skip
@click.option(
    "--captions", "tables", multiple=True, metavar="NAME=FILE",
    help="Captions made elsewhere, as 'caption --out' writes them or a CSV of imgId and caption.",
)  # fmt: skip
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False),
              help="Write study.html, study.json and captions.csv into this folder; it keeps "
              "captions, so the same command continues a stopped one.")  # fmt: skip
@click.option("--beams", default=3, show_default=True, type=click.IntRange(min=1),
              help="Of the search for captions, for all captioners.")  # fmt: skip
@click.option("--max-new-tokens", default=20, show_default=True, type=click.IntRange(min=1),
              help="Tokens of the longest caption; all must have room for them.")  # fmt: skip
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE",
    help="Another option of all captioners, as of 'caption', e.g. length_penalty=0.6; repeatable.",
)  # fmt: skip
@click.option("--batch-size", default=16, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--look-at", default=24, show_default=True, type=click.IntRange(min=0),
    help="Images of which parts are made grey to see where captioners look; 0 for none.",
)  # fmt: skip
@click.option("--grid", default=4, show_default=True, type=click.IntRange(min=1),
              help="Cells a side that are made grey, one at a time.")  # fmt: skip
@click.option(
    "--word", "words", multiple=True,
    help="A word of prompts whose gradient is drawn; repeatable. Default: the first content words "
    "of a few prompts.",
)  # fmt: skip
@options.running
@options.as_json
def captioners(
    listings: tuple[Path, ...],
    images: tuple[Path, ...],
    models: tuple[str, ...],
    tables: tuple[str, ...],
    out: Path,
    beams: int,
    max_new_tokens: int,
    settings: tuple[str, ...],
    batch_size: int,
    look_at: int,
    grid: int,
    words: tuple[str, ...],
    weights: tuple[Path, ...],
    device: str,
    precision: str,
    workers: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Compare two to five captioners on the same images, with the same settings.

    Accuracy against the true prompts with paired intervals, what their words tell of why they
    differ, where they look, and a page that says what the intervals support.
    """
    from prompt_ensemble.core.progress import bar, silent
    from prompt_ensemble.data.pairs import join_pairs, read_pairs
    from prompt_ensemble.run.config import RunConfig
    from prompt_ensemble.run.ensemble import load_ensemble
    from prompt_ensemble.study.captioner_study import PAGE, StudyOptions, run_study
    from prompt_ensemble.study.conclusion import conclude
    from prompt_ensemble.study.contenders import parse_contenders
    from prompt_ensemble.study.looking import LookOptions
    from prompt_ensemble.study.records import as_record

    contenders = parse_contenders(models, tables)
    shown = silent if quiet else bar
    generation = {
        "num_beams": beams, "max_new_tokens": max_new_tokens, **options.read_settings(settings),
    }  # fmt: skip
    with load_ensemble(
        RunConfig("study", ()), weights=weights, device=device, precision=precision,
        workers=workers, progress=shown, memory_budget=0,
    ) as ensemble:  # fmt: skip
        study = run_study(
            join_pairs([read_pairs(listing, images) for listing in listings]), contenders, out,
            ensemble=ensemble, encode=ensemble.encode, progress=shown,
            options=StudyOptions(
                generation, batch_size, LookOptions(images=look_at, grid=grid, words=words)
            ),
        )  # fmt: skip
    if as_json:
        click.echo(json.dumps(as_record(study)))
    else:
        click.echo("\n".join([*study.doubts, str(conclude(study)), f"page {out / PAGE}"]))
    report_left_out(study.left_out, len(study.material.images) + len(study.left_out))

"""``gather``: images and their prompts from wherever they lie, as a set to train on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prompt_ensemble.cli import options

if TYPE_CHECKING:
    from prompt_ensemble.data.gathering.gather import Gathered

_KINDS = ("img2img", "inpainting", "ControlNet", "grid")
_sources = click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
_indices = click.option(
    "--index", "indices", multiple=True, type=click.Path(path_type=Path, exists=True),
    metavar="FILE", help="A table of images and prompts that counts before all else; repeatable.",
)  # fmt: skip
_columns = options.together(
    click.option("--image-column", default="", metavar="NAME", help="Of index files."),
    click.option("--prompt-column", default="", metavar="NAME", help="Of index files."),
)
_what = options.together(
    click.option(
        "--file-names", "names_are_prompts", is_flag=True,
        help="Take an image's name for its prompt where nothing else tells one.",
    ),
    click.option(
        "--include", multiple=True, type=click.Choice(_KINDS),
        help="Keep images that are more than their prompt says; repeatable.",
    ),
    click.option(
        "--language", "languages", multiple=True, metavar="TAG",
        help="Keep prompts of this language only, as en or und-Latn; repeatable.",
    ),
    click.option("--drop-unsafe", is_flag=True, help="Leave out prompts with unsafe words."),
    click.option(
        "--smallest-side", default=64, show_default=True, type=click.IntRange(min=1),
        help="Leave out images with a shorter side, in pixels.",
    ),
)  # fmt: skip
_duplicates = options.together(
    click.option(
        "--near-bits", default=4, show_default=True, type=click.IntRange(0, 12),
        help="Of 64 bits of a perceptual hash, in how many near-duplicate images may differ.",
    ),
    click.option(
        "--drop-near-images", is_flag=True,
        help="Of near-duplicate images keep the first; else they are counted and named.",
    ),
    click.option(
        "--images-per-prompt", default=0, type=click.IntRange(min=0), metavar="N",
        help="Keep no more images of one prompt [default: all].",
    ),
    click.option(
        "--near-prompts", default=0.0, type=click.FloatRange(0, 1), metavar="COSINE",
        help="Drop prompts as near as this to one that is kept, as 'dedupe' does [default: none].",
    ),
)  # fmt: skip
_how = options.together(
    click.option(
        "--out", required=True, type=click.Path(path_type=Path, file_okay=False),
        help="Folder to fill; the same command goes on where it was stopped.",
    ),
    click.option(
        "--format", "layout", default="files", show_default=True,
        type=click.Choice(["files", "webdataset"]), help="Images as files, or in tar shards.",
    ),
    click.option("--rows-per-shard", default=10_000, show_default=True,
                 type=click.IntRange(min=1), help="Images in a folder or a tar."),
    click.option(
        "--longest-side", default=512, show_default=True, type=click.IntRange(min=0),
        help="Of the images written, in pixels; 0 keeps every file as it is.",
    ),
    click.option("--licence", default="", metavar="TEXT", help="Of the sources, for the manifest."),
)  # fmt: skip


@click.command("gather")
@_sources
@_how
@_indices
@_columns
@_what
@_duplicates
@options.device
@options.workers
@options.quiet
@options.as_json
def command(
    sources: tuple[str, ...],
    out: Path,
    indices: tuple[Path, ...],
    device: str,
    workers: int | None,
    quiet: bool,
    as_json: bool,
    **chosen: object,
) -> None:
    """Gather images and their prompts from SOURCES into a set to train on.

    A SOURCE is a folder, a .zip, .tar or .tar.gz, a Parquet or Arrow file with images in it, an
    index (.csv, .json, .jsonl, .md) beside its images, or hub:NAME. Prompts come from what programs
    write into images, from index files and from texts beside them.
    """
    if any(source.startswith("hub:") for source in sources):  # asked for by name, so allowed
        os.environ["HF_HUB_OFFLINE"] = "0"
    from prompt_ensemble.core.progress import bar, silent
    from prompt_ensemble.core.typed_tables import from_table
    from prompt_ensemble.data.gathering.gather import gather
    from prompt_ensemble.data.gathering.options import GatherOptions

    wanted = from_table(GatherOptions, chosen, "gather")
    encode = None
    if wanted.near_prompts:
        from prompt_ensemble.models.device import choose_placement
        from prompt_ensemble.models.sentence_encoder import SentenceEncoder

        encode = SentenceEncoder(placement=choose_placement(device)).encode
    found = gather(
        sources, out, wanted, indices=indices, encode=encode,
        workers=workers or os.cpu_count() or 1, progress=silent if quiet else bar,
    )  # fmt: skip
    click.echo(json.dumps(found.manifest) if as_json else summary(found))


def summary(found: Gathered) -> str:
    """What came of it, for people."""
    from prompt_ensemble.data.gathering.gather import PAGE
    from prompt_ensemble.data.gathering.writing import LISTING

    statistics = found.statistics
    left_out = [f"{count} {reason}" for reason, count in statistics["left_out"].items()]
    lines = [
        *(f"warning: {problem}" for problem in found.manifest["problems"]),
        f"{found.kept} pairs of {statistics['images']} images in {found.out / LISTING}",
        *([f"left out: {', '.join(left_out)}"] if left_out else []),
        f"near-duplicate images: {statistics['near_duplicate_images']}; images whose prompt an "
        f"earlier one has: {statistics['images_whose_prompt_came_before']}",
        f"page {found.out / PAGE}",
    ]
    return "\n".join(lines)

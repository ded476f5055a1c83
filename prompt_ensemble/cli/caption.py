"""``caption``: what one captioner says of images, line by line as it says it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prompt_ensemble.cli import options

if TYPE_CHECKING:
    from prompt_ensemble.images.survey import Album
    from prompt_ensemble.models.weights import WeightRoots
    from prompt_ensemble.run.ensemble import Member
    from prompt_ensemble.run.member_run import Run


class CaptionCommand(click.Command):
    """Its help ends with what each kind generates with, read off the captioners when asked for."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Defaults of --set, by kind."""
        from prompt_ensemble.members.captioners.defaults import published_lines

        with formatter.section("Defaults of --set, below a folder's generation_config.json"):
            formatter.write_dl(published_lines())


@click.command("caption", cls=CaptionCommand)
@options.images
@click.option(
    "--model", "name", required=True, metavar="NAME",
    help="A kind (ofa, blip, git, coca …), or the name or path of a model's folder.",
)  # fmt: skip
@click.option(
    "--set", "pairs", multiple=True, metavar="KEY=VALUE",
    help="An option of the model, e.g. num_beams=5 or suffix=', art'; repeatable.",
)  # fmt: skip
@click.option("--batch-size", default=16, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.jsonl",
    help="Write rows of image_id and caption; finished batches are kept beside it, so the same "
    "command continues a stopped run.",
)  # fmt: skip
@options.weights
@options.device
@options.precision
@options.workers
def command(
    images: tuple[Path, ...],
    name: str,
    pairs: tuple[str, ...],
    batch_size: int,
    out: Path | None,
    weights: tuple[Path, ...],
    device: str,
    precision: str,
    workers: int | None,
) -> None:
    """Say what is in IMAGES (folders or files): id, tab, caption."""
    from tempfile import TemporaryDirectory

    from prompt_ensemble.images.find import find_images
    from prompt_ensemble.images.survey import survey
    from prompt_ensemble.models.device import choose_placement
    from prompt_ensemble.models.weights import WeightRoots
    from prompt_ensemble.run.member_run import Run
    from prompt_ensemble.run.store import Store

    roots = WeightRoots.usual(weights)
    member = find_member(name, options.read_settings(pairs), batch_size, roots)
    placement = choose_placement(device, precision)
    album = survey(find_images(images), workers=workers)
    with nullcontext(f"{out}.store") if out else TemporaryDirectory() as folder:
        run = Run(placement, Store(Path(folder)), roots, workers)
        rows = captions(album, member, run)
        write(rows, out) if out else show(rows)
    complain(album)


def find_member(
    name: str, settings: dict[str, object], batch_size: int, roots: WeightRoots
) -> Member:
    """The captioner as a member, its options checked and its weights found."""
    from prompt_ensemble.members.captioners.layouts import find_captioner
    from prompt_ensemble.run.config import MemberConfig
    from prompt_ensemble.run.ensemble import Member, make_predictor

    kind, path = find_captioner(name, roots)
    config = MemberConfig(kind, kind, str(path), batch_size=batch_size, options=settings)
    return Member(config, make_predictor(config, roots))


def captions(album: Album, member: Member, run: Run) -> Iterator[tuple[str, str]]:
    """Ids and captions of the readable images, in the order of the ids."""
    from prompt_ensemble.members.captioners.caption_predictor import CaptionPredictor
    from prompt_ensemble.run.caption_stream import stream

    assert isinstance(member.predictor, CaptionPredictor)
    for outputs in stream(member, album, run):
        for image_id, lines in zip(outputs.image_ids, outputs.lines, strict=True):
            for text in member.predictor.worded(lines):
                yield image_id, " ".join(text.split())


def complain(album: Album) -> None:
    """Once all others are captioned, say which images could not be read."""
    from prompt_ensemble.core.errors import UnreadableImage

    if album.bad:
        reasons = "; ".join(image.reason for image in album.bad)
        raise UnreadableImage(
            f"{len(album.bad)} of {len(album.image_ids)} images cannot be read and have no "
            f"caption: {reasons}"
        )


def show(rows: Iterator[tuple[str, str]]) -> None:
    """A line per caption, as soon as it is there."""
    for image_id, caption in rows:
        click.echo(f"{image_id}\t{caption}")


def write(rows: Iterator[tuple[str, str]], out: Path) -> None:
    """The same, and a file of JSON rows that appears once all are there."""
    from prompt_ensemble.core.files import atomic_file

    with atomic_file(out) as file:
        for image_id, caption in rows:
            click.echo(f"{image_id}\t{caption}")
            row = {"image_id": image_id, "caption": caption}
            file.write((json.dumps(row, ensure_ascii=False) + "\n").encode())

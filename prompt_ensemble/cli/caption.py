"""``caption``: what one captioner says of images, line by line as it says it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from prompt_ensemble.cli import options
from prompt_ensemble.cli.unreadable import report_unreadable


class _CaptionCommand(click.Command):
    """Its help ends with what each kind generates with, read off the captioners when asked for."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Defaults of --set, by kind."""
        from prompt_ensemble.members.captioners.defaults import published_lines

        with formatter.section("Defaults of --set, below a folder's generation_config.json"):
            formatter.write_dl(published_lines())


@click.command("caption", cls=_CaptionCommand)
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
    help="Write rows of image_id and caption; finished batches are kept next to it, so the same "
    "command continues a stopped run.",
)  # fmt: skip
@options.as_json
@options.running
def command(
    images: tuple[Path, ...],
    name: str,
    pairs: tuple[str, ...],
    batch_size: int,
    out: Path | None,
    as_json: bool,
    weights: tuple[Path, ...],
    device: str,
    precision: str,
    workers: int | None,
    quiet: bool,
) -> None:
    """Say what is in IMAGES (folders or files): id, tab, caption."""
    from prompt_ensemble.run.captioner_members import caption_predictor, find_captioner_member
    from prompt_ensemble.run.config import RunConfig
    from prompt_ensemble.run.ensemble import load_ensemble

    with load_ensemble(
        RunConfig("caption", ()), weights=weights, device=device, precision=precision,
        workers=workers, progress=options.shown_progress(quiet),
    ) as ensemble:  # fmt: skip
        settings = options.read_settings(pairs)
        member = find_captioner_member(name, settings, ensemble.roots, batch_size)
        speaking = caption_predictor(member)
        album = ensemble.survey(list(images))
        store = Path(f"{out}.store") if out else None
        # A batch at a time: captions are slow, and nobody wants to wait for a hundred.
        outputs = ensemble.outputs(member, album, store=store, batches_per_shard=1)
        rows = (row for batch in outputs for row in speaking.captions(batch))
        _write(rows, out, as_json) if out else _show(rows, as_json)
    report_unreadable(album)


def _show(rows: Iterator[tuple[str, str]], as_json: bool) -> None:
    """A line per caption, as soon as it is there."""
    for image_id, caption in rows:
        click.echo(_json_row(image_id, caption) if as_json else f"{image_id}\t{caption}")


def _write(rows: Iterator[tuple[str, str]], out: Path, as_json: bool) -> None:
    """The same, and a file of JSON rows that appears once all are there."""
    from prompt_ensemble.core.files import atomic_file

    with atomic_file(out) as file:
        for image_id, caption in rows:
            _show(iter([(image_id, caption)]), as_json)
            file.write((_json_row(image_id, caption) + "\n").encode())


def _json_row(image_id: str, caption: str) -> str:
    return json.dumps({"image_id": image_id, "caption": caption}, ensure_ascii=False)

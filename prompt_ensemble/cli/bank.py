"""``bank``: known prompts on the disk, and those near to a text or an image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prompt_ensemble.cli import options
from prompt_ensemble.cli.unreadable import report_unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np

    from prompt_ensemble.core.outputs import Line
    from prompt_ensemble.members.neighbours.neighbour_bank import Embed
    from prompt_ensemble.models.device import Placement

EMBEDDED = "embedded-clip"
"""Says where images lie in banks that were made without a tower."""
tower = click.option(
    "--model", "tower", default="", metavar="NAME",
    help="Compare by the rows of this tower (weights of a CLIP) instead of by sentence embeddings.",
)  # fmt: skip
architecture = click.option(
    "--architecture", default="", metavar="NAME",
    help="open_clip's name of the tower, where its files do not say it.",
)  # fmt: skip
folder = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))


@click.group("bank")
def command() -> None:
    """Build and query banks of known prompts."""


@command.command("build")
@folder
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--column", default="prompt", show_default=True, help="Column of parquet files.")
@click.option("--rows-per-shard", default=65_536, show_default=True, type=click.IntRange(min=1))
@tower
@architecture
@options.weights
@options.device
@options.quiet
def build(
    folder: Path, sources: tuple[Path, ...], column: str, rows_per_shard: int, tower: str,
    architecture: str, weights: tuple[Path, ...], device: str, quiet: bool,
) -> None:  # fmt: skip
    """Embed the prompts of SOURCES (text, CSV, parquet) into FOLDER; a rerun continues."""
    from prompt_ensemble.core.progress import bar, silent
    from prompt_ensemble.members.neighbours.neighbour_bank import build_bank, describe
    from prompt_ensemble.models.device import choose_placement
    from prompt_ensemble.models.sentence_encoder import SentenceEncoder

    encoder = SentenceEncoder(placement=choose_placement(device))
    digest, keys = tower_keys(tower, architecture, weights, device)
    card = describe(sources, encoder.digest, digest, column, rows_per_shard)
    shown = silent if quiet else bar
    bank = build_bank(folder, sources, card, encoder.encode, keys, progress=shown)
    click.echo(f"{len(bank)} prompts in {len(bank.shards)} shards in {folder}")


def tower_keys(
    name: str, architecture: str, weights: tuple[Path, ...], device: str
) -> tuple[str | None, Embed | None]:
    """The digest of a tower's texts and how it reads them; nothing without a name."""
    if not name:
        return None, None
    import torch

    from prompt_ensemble.models.device import choose_placement
    from prompt_ensemble.models.two_sided_towers.tower_source import find_tower, load_tower
    from prompt_ensemble.models.weights import WeightRoots

    roots = WeightRoots.usual(weights)
    source = find_tower(name, architecture, roots)
    if source.kind == "embedded":  # its keys would be the embeddings once more
        return None, None
    loaded = load_tower(source, choose_placement(device), roots)

    def read(prompts: Sequence[str]) -> np.ndarray:
        with torch.inference_mode():
            rows: np.ndarray = loaded.encode_texts(prompts).float().cpu().numpy()
        return rows

    return source.text_digest(), read


@command.command("index")
@folder
@click.option("--kind", default="ivfpq", show_default=True, type=click.Choice(["ivfpq", "hnsw"]))
def index(folder: Path, kind: str) -> None:
    """Make a FAISS index of a bank, for queries that need not see all of it."""
    from prompt_ensemble.members.neighbours.faiss_search import build_index, index_path
    from prompt_ensemble.members.neighbours.neighbour_bank import open_neighbours

    bank = open_neighbours(folder)
    build_index(bank, kind)
    megabytes = index_path(bank, kind).stat().st_size / 2**20
    click.echo(f"{len(bank)} prompts indexed in {index_path(bank, kind)}, {megabytes:.1f} MB")


@command.command("query")
@folder
@click.argument("texts", nargs=-1)
@click.option(
    "--image", "images", multiple=True, type=click.Path(path_type=Path),
    help="Look up an image instead, by where the embedded regressor puts it; repeatable.",
)  # fmt: skip
@click.option("--nearest", default=5, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--index", default="exact", show_default=True, type=click.Choice(["exact", "ivfpq", "hnsw"])
)
@click.option("--effort", default=64, show_default=True, type=click.IntRange(min=1))
@tower
@architecture
@options.running
@options.as_json
def query(
    folder: Path, texts: tuple[str, ...], images: tuple[Path, ...], nearest: int, index: str,
    effort: int, tower: str, architecture: str, weights: tuple[Path, ...], device: str,
    precision: str, workers: int | None, quiet: bool, as_json: bool,
) -> None:  # fmt: skip
    """Show the prompts of FOLDER nearest to TEXTS or images: cosine, tab, prompt."""
    if bool(texts) == bool(images):
        raise click.UsageError("give either TEXTS or --image FILE")
    settings: dict[str, object] = {
        "nearest": nearest, "shown": nearest, "index": index, "effort": effort,
        "tower": tower, "architecture": architecture,
    }  # fmt: skip
    from prompt_ensemble.models.device import choose_placement

    near = (
        near_images(
            folder,
            images,
            settings,
            weights=weights,
            device=device,
            precision=precision,
            workers=workers,
            progress=options.shown_progress(quiet),
        )
        if images
        else near_texts(folder, texts, settings, weights, choose_placement(device, precision))
    )
    for name, prompts in near:
        show(name, prompts, as_json)


def near_texts(
    folder: Path, texts: Sequence[str], settings: Mapping[str, object], weights: Sequence[Path],
    placement: Placement,
) -> Iterator[tuple[str, list[Line]]]:  # fmt: skip
    """Each text, and the prompts of the bank that are nearest to it."""
    import torch

    from prompt_ensemble.core.errors import BadConfig
    from prompt_ensemble.core.outputs import Line
    from prompt_ensemble.core.typed_tables import from_table
    from prompt_ensemble.members.neighbours.neighbour_bank import open_neighbours
    from prompt_ensemble.members.neighbours.neighbour_predictor import (
        NeighbourOptions,
        check_space,
        searcher,
    )
    from prompt_ensemble.models.sentence_encoder import SentenceEncoder
    from prompt_ensemble.models.two_sided_towers.tower_source import find_tower, load_tower
    from prompt_ensemble.models.weights import WeightRoots

    bank = open_neighbours(folder)
    chosen = from_table(NeighbourOptions, settings, "bank query")
    roots = WeightRoots.usual(weights)
    source = find_tower(chosen.tower, chosen.architecture, roots) if chosen.tower else None
    check_space(folder, source)
    if source:
        tower = load_tower(source, placement, roots)
        with torch.inference_mode(), placement.autocast():
            vectors = tower.encode_texts(texts).float().cpu().numpy()
    else:
        encoder = SentenceEncoder(placement=placement)
        if bank.card.encoder != encoder.digest:
            raise BadConfig(f"{folder} was made with another sentence encoder; build it again")
        vectors = encoder.encode(texts)
    neighbours = searcher(bank, chosen, placement.device)(vectors)
    for text, cosines, numbers in zip(texts, neighbours.cosines, neighbours.numbers, strict=True):
        pairs = zip(cosines, numbers, strict=True)
        yield text, [Line("neighbour", bank.prompt(int(at)), float(cosine)) for cosine, at in pairs]


def near_images(
    folder: Path, images: Sequence[Path], settings: Mapping[str, object], **running: Any
) -> Iterator[tuple[str, list[Line]]]:
    """Each image's id, and the prompts of the bank that are nearest to it."""
    from prompt_ensemble.run.config import MemberConfig, RunConfig
    from prompt_ensemble.run.ensemble import load_ensemble
    from prompt_ensemble.run.members import make_member

    settings = {**settings, "tower": settings["tower"] or EMBEDDED}
    with load_ensemble(RunConfig("bank", ()), memory_budget=0, **running) as ensemble:
        config = MemberConfig("neighbours", "neighbours", str(folder.absolute()), options=settings)
        member = make_member(config, ensemble.roots)
        album = ensemble.survey(list(images))
        for outputs in ensemble.outputs(member, album):
            for image_id, lines in zip(outputs.image_ids, outputs.lines, strict=True):
                yield image_id, list(lines)
    report_unreadable(album)


def show(name: str, prompts: Sequence[Line], as_json: bool) -> None:
    """A text or an image, and the prompts near to it, best first."""
    if as_json:
        near = [{"prompt": line.text, "cosine": round(line.score, 4)} for line in prompts]
        click.echo(json.dumps({"query": name, "neighbours": near}, ensure_ascii=False))
        return
    click.echo(name)
    for line in prompts:
        click.echo(f"  {line.score:.4f}\t{line.text}")

"""``bank``: known prompts on the disk, and those near to a text or an image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prompt_ensemble.commands import options

if TYPE_CHECKING:
    from prompt_ensemble.retrieval.exact_search import Neighbours
    from prompt_ensemble.retrieval.neighbour_bank import NeighbourBank

folder = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))


@click.group("bank")
def command() -> None:
    """Build and query banks of known prompts."""


@command.command("build")
@folder
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--column", default="prompt", show_default=True, help="Column of parquet files.")
@click.option("--rows-per-shard", default=65_536, show_default=True, type=click.IntRange(min=1))
@options.device
@options.quiet
def build(
    folder: Path, sources: tuple[Path, ...], column: str, rows_per_shard: int, device: str,
    quiet: bool,
) -> None:  # fmt: skip
    """Embed the prompts of SOURCES (text, CSV, parquet) into FOLDER; a rerun continues."""
    from prompt_ensemble.device import choose_placement
    from prompt_ensemble.progress import bar, silent
    from prompt_ensemble.retrieval.neighbour_bank import build_bank, describe
    from prompt_ensemble.sentence_encoder import SentenceEncoder

    encoder = SentenceEncoder(placement=choose_placement(device))
    card = describe(sources, encoder.digest, None, column, rows_per_shard)
    shown = silent if quiet else bar
    bank = build_bank(folder, sources, card, encoder.encode, progress=shown)
    click.echo(f"{len(bank)} prompts in {len(bank.shards)} shards in {folder}")


@command.command("index")
@folder
@click.option("--kind", default="ivfpq", show_default=True, type=click.Choice(["ivfpq", "hnsw"]))
def index(folder: Path, kind: str) -> None:
    """Make a FAISS index of a bank, for queries that need not see all of it."""
    from prompt_ensemble.retrieval.faiss_search import build_index, index_path
    from prompt_ensemble.retrieval.neighbour_bank import open_neighbours

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
@options.device
@options.as_json
def query(
    folder: Path, texts: tuple[str, ...], images: tuple[Path, ...], nearest: int, index: str,
    effort: int, device: str, as_json: bool,
) -> None:  # fmt: skip
    """Show the prompts of FOLDER nearest to TEXTS or images: cosine, tab, prompt."""
    import numpy as np

    from prompt_ensemble.device import choose_placement
    from prompt_ensemble.retrieval.neighbour_bank import open_neighbours
    from prompt_ensemble.retrieval.neighbours import NeighbourOptions, searcher

    if bool(texts) == bool(images):
        raise click.UsageError("give either TEXTS or --image FILE")
    bank = open_neighbours(folder)
    names, vectors = embed_images(images, device) if images else embed_texts(texts, bank, device)
    wanted = NeighbourOptions(nearest=nearest, index=index, effort=effort)
    found = searcher(bank, wanted, choose_placement(device).device)(np.asarray(vectors))
    show(names, found, bank, as_json)


def embed_texts(
    texts: tuple[str, ...], bank: NeighbourBank, device: str
) -> tuple[tuple[str, ...], object]:
    """Texts by the encoder the bank was made with."""
    from prompt_ensemble.device import choose_placement
    from prompt_ensemble.errors import BadConfig
    from prompt_ensemble.sentence_encoder import SentenceEncoder

    encoder = SentenceEncoder(placement=choose_placement(device))
    if bank.card.encoder != encoder.digest:
        raise BadConfig(f"{bank.folder} was made with another sentence encoder; build it again")
    return texts, encoder.encode(texts)


def embed_images(images: tuple[Path, ...], device: str) -> tuple[tuple[str, ...], object]:
    """Images by the regressor that travels with the package."""
    from prompt_ensemble.device import choose_placement
    from prompt_ensemble.findings import join
    from prompt_ensemble.images import find_images
    from prompt_ensemble.inference import look_at
    from prompt_ensemble.regression.predictor import RegressionOptions, RegressionPredictor
    from prompt_ensemble.weights import WeightRoots

    placement = choose_placement(device)
    regressor = RegressionPredictor("embedded-lite0", RegressionOptions(), WeightRoots.usual())
    looker = regressor.open(placement, {})
    seen = join(list(look_at(looker, find_images(images), placement, batch_size=32)))
    return seen.image_ids, seen.vectors


def show(names: tuple[str, ...], found: Neighbours, bank: NeighbourBank, as_json: bool) -> None:
    """Neighbours under each name, best first."""
    for name, cosines, numbers in zip(names, found.cosines, found.numbers, strict=True):
        near = [
            {"prompt": bank.prompt(int(number)), "cosine": round(float(cosine), 4)}
            for cosine, number in zip(cosines, numbers, strict=True)
        ]
        if as_json:
            click.echo(json.dumps({"query": name, "neighbours": near}, ensure_ascii=False))
            continue
        click.echo(name)
        for one in near:
            click.echo(f"  {one['cosine']:.4f}\t{one['prompt']}")

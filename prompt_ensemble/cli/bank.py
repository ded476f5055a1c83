"""``bank``: known prompts on the disk, and those near to a text or an image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prompt_ensemble.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from prompt_ensemble.members.neighbours.exact_search import Neighbours
    from prompt_ensemble.members.neighbours.neighbour_bank import Embed, NeighbourBank
    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.two_sided_towers.two_sided_tower import TwoSidedTower

EMBEDDED = "embedded-lites"
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
@options.weights
@options.device
@options.as_json
def query(
    folder: Path, texts: tuple[str, ...], images: tuple[Path, ...], nearest: int, index: str,
    effort: int, tower: str, architecture: str, weights: tuple[Path, ...], device: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Show the prompts of FOLDER nearest to TEXTS or images: cosine, tab, prompt."""
    from prompt_ensemble.core.errors import BadConfig
    from prompt_ensemble.members.neighbours.neighbour_bank import open_neighbours
    from prompt_ensemble.members.neighbours.neighbour_predictor import (
        NeighbourOptions,
        check_space,
        searcher,
    )
    from prompt_ensemble.models.device import choose_placement
    from prompt_ensemble.models.sentence_encoder import SentenceEncoder
    from prompt_ensemble.models.two_sided_towers.tower_source import find_tower, load_tower
    from prompt_ensemble.models.weights import WeightRoots

    if bool(texts) == bool(images):
        raise click.UsageError("give either TEXTS or --image FILE")
    bank = open_neighbours(folder)
    wanted = NeighbourOptions(nearest=nearest, index=index, effort=effort)
    placement = choose_placement(device)
    search = searcher(bank, wanted, placement.device)
    roots = WeightRoots.usual(weights)
    source = find_tower(tower or EMBEDDED, architecture, roots)
    check_space(folder, source if tower else None)
    if texts and not tower:
        encoder = SentenceEncoder(placement=placement)
        if bank.card.encoder != encoder.digest:
            raise BadConfig(f"{folder} was made with another sentence encoder; build it again")
        vectors = encoder.encode(texts)
        show(texts, search(vectors), bank, as_json)
        return
    names, vectors = look_up(texts, images, load_tower(source, placement, roots), placement)
    show(names, search(vectors), bank, as_json)


def look_up(
    texts: tuple[str, ...], images: tuple[Path, ...], tower: TwoSidedTower, placement: Placement
) -> tuple[tuple[str, ...], np.ndarray]:
    """Texts or images as a tower's rows."""
    import torch

    from prompt_ensemble.images.decode import load_image
    from prompt_ensemble.images.find import find_images

    with torch.inference_mode(), placement.autocast():
        if texts:
            return texts, tower.encode_texts(texts).float().cpu().numpy()
        found = find_images(images)
        views = torch.stack([tower.recipe.prepare(load_image(one.path)) for one in found])
        rows = tower.encode_images(views.to(placement.device)).float().cpu().numpy()
        return tuple(one.image_id for one in found), rows


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

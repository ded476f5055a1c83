"""Neighbours as a member: the mean of known prompts near to an image.

Where an image lies is known from another member's vectors, in the space of the sentence encoder, or
by the tower that the bank's keys were made with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from prompt_ensemble.core.embeddings import Embeddings, Encode
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.files import file_digest
from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.core.weighted_mean import inverse_power_shares, weighted_mean
from prompt_ensemble.members.contract import Batch, OpenedModel, Predictor
from prompt_ensemble.models.two_sided_towers.tower_source import (
    TowerSource,
    find_tower,
    load_tower,
)

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from prompt_ensemble.members.neighbours.exact_search import Neighbours
    from prompt_ensemble.members.neighbours.neighbour_bank import NeighbourBank
    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.two_sided_towers.two_sided_tower import TwoSidedTower
    from prompt_ensemble.models.weights import WeightRoots

    Search = Callable[[np.ndarray], Neighbours]

_EPSILON = 1e-6
"""Keeps the share of a perfect match finite."""


@dataclass(frozen=True)
class NeighbourOptions:
    """How neighbours are found and weighed."""

    vectors_from: str = ""
    """Name of the member whose vectors are looked up; empty with a tower."""
    tower: str = ""
    """Weights of the tower whose rows are the bank's keys; it looks at the images itself."""
    architecture: str = ""
    """open_clip's name of the tower, where its files do not say it: ViT-H-14/laion2b_s32b_b79k."""
    nearest: int = 100
    power: float = 6.0
    """Weight of a neighbour: one over its cosine distance to this power."""
    shown: int = 3
    """Neighbours named for each image."""
    index: str = "exact"
    """exact, ivfpq or hnsw; an index other than exact must have been made for the bank."""
    effort: int = 64
    """Lists looked through, or candidates kept, by an index."""


class NeighbourPredictor(Predictor):
    """Looks another member's vectors up in a bank of prompts; the bank is its weights."""

    Options = NeighbourOptions

    def __init__(self, weights: str, options: NeighbourOptions, roots: WeightRoots) -> None:
        super().__init__(weights, options, roots)
        if bool(options.vectors_from) == bool(options.tower):
            raise BadConfig(
                "a member of kind 'neighbours' needs one of the options vectors_from (a member) "
                "and tower (the weights that the bank's keys were made with)"
            )
        if options.nearest < 1 or options.shown < 0:
            raise BadConfig("options of 'neighbours': nearest must be 1 or more, shown 0 or more")
        self.folder = roots.find(weights).path
        self.roots = roots
        self.source = (
            find_tower(options.tower, options.architecture, roots) if options.tower else None
        )
        check_space(self.folder, self.source)

    def identity(self) -> Mapping[str, object]:
        """Options and the bank's card, which names its encoder and its sources by digest."""
        from prompt_ensemble.members.neighbours.neighbour_bank import CARD

        tower = self.source.digest() if self.source else None
        return asdict(self.options) | {"bank": file_digest(self.folder / CARD), "tower": tower}

    def check(self) -> None:
        """All shards of the bank, and the index if one is wanted, are there and whole."""
        from prompt_ensemble.members.neighbours.neighbour_bank import open_neighbours

        bank = open_neighbours(self.folder)
        if self.options.index != "exact":
            from prompt_ensemble.members.neighbours.faiss_search import FaissSearch

            FaissSearch(bank, self.options.index, self.options.effort)

    def needs(self) -> tuple[str, ...]:
        """The member whose vectors are looked up."""
        return (self.options.vectors_from,) if self.options.vectors_from else ()

    def open(self, placement: Placement, progress: Progress = silent) -> OpenedModel:
        """The bank, mapped, and its index if one is wanted."""
        from prompt_ensemble.members.neighbours.neighbour_bank import open_neighbours

        bank = open_neighbours(self.folder)
        search = searcher(bank, self.options, placement.device)
        if self.source:
            tower = load_tower(self.source, placement, self.roots)
            return _OpenedTowerNeighbours(bank, search, tower, self.options)
        return _OpenedNeighbours(bank, search, self.options)

    def embed(self, outputs: Outputs, encode: Encode) -> Embeddings:
        """The weighted means of the neighbours."""
        return Embeddings.of(outputs.image_ids, outputs.vectors)


def searcher(
    bank: NeighbourBank, options: NeighbourOptions, device: torch.device | str = "cpu"
) -> Search:
    """The search that the options ask for, everything loaded."""
    if options.index == "exact":
        from prompt_ensemble.members.neighbours.exact_search import search_exactly

        return partial(search_exactly, bank, count=options.nearest, device=device)
    from prompt_ensemble.members.neighbours.faiss_search import FaissSearch

    index = FaissSearch(bank, options.index, options.effort)
    return partial(index.search, count=options.nearest)


class _OpenedNeighbours(OpenedModel):
    """A bank in which the vectors of another member are looked up."""

    reads_pixels = False

    def __init__(self, bank: NeighbourBank, search: Search, options: NeighbourOptions) -> None:
        self.bank = bank
        self.search = search
        self.options = options

    def run(self, batch: Batch) -> Outputs:
        """Prompts near to each image, and their weighted mean."""
        vectors = batch.needed[self.options.vectors_from].vectors
        return near(self.bank, self.search, vectors, batch.image_ids, self.options)


class _OpenedTowerNeighbours(OpenedModel):
    """A bank whose keys are a tower's rows, and the tower."""

    def __init__(
        self, bank: NeighbourBank, search: Search, tower: TwoSidedTower, options: NeighbourOptions
    ) -> None:
        self.bank = bank
        self.search = search
        self.tower = tower
        self.options = options

    def prepare(self, image: Image.Image) -> tuple[torch.Tensor, ...]:
        """The tower's view."""
        return (self.tower.recipe.prepare(image),)

    def run(self, batch: Batch) -> Outputs:
        """Prompts near to each image, and the weighted mean of their embeddings."""
        vectors = self.tower.encode_images(batch.views[0]).float().cpu().numpy()
        return near(self.bank, self.search, vectors, batch.image_ids, self.options)


def near(
    bank: NeighbourBank,
    search: Search,
    vectors: np.ndarray,
    image_ids: Sequence[str],
    options: NeighbourOptions,
) -> Outputs:
    """Prompts whose keys are near to the vectors, and the weighted mean of their embeddings."""
    import torch

    # Full precision whatever the run's: the products are small and the cosines are shown.
    with torch.autocast("cuda", enabled=False), torch.autocast("cpu", enabled=False):
        found = search(vectors)
    shares = inverse_power_shares(found.cosines, options.power, epsilon=_EPSILON)
    means = weighted_mean(shares, bank.vectors(found.numbers))
    return Outputs(tuple(image_ids), named(bank, found, options.shown), means)


def named(bank: NeighbourBank, found: Neighbours, shown: int) -> tuple[tuple[Line, ...], ...]:
    """The nearest prompts as text."""
    return tuple(
        tuple(
            Line("neighbour", bank.prompt(int(number)), float(cosine))
            for number, cosine in zip(numbers[:shown], cosines[:shown], strict=True)
        )
        for numbers, cosines in zip(found.numbers, found.cosines, strict=True)
    )


def check_space(folder: Path, source: TowerSource | None) -> None:
    """The bank must have been made in the space it is searched in."""
    from prompt_ensemble.members.neighbours.neighbour_bank import read_card

    card = read_card(folder)
    if (card.tower or card.encoder) != (source.text_digest() if source else card.encoder):
        wanted = "another tower" if card.tower else "the sentence encoder"
        raise BadConfig(
            f"{folder} is a bank made with {wanted}, so these vectors mean nothing in it; "
            "name what it was built with, or build a bank with this one"
        )

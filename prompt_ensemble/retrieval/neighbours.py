"""Neighbours as a member: the mean of known prompts near to where a regressor says ours lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from prompt_ensemble.embeddings import Embeddings
from prompt_ensemble.errors import BadConfig
from prompt_ensemble.files import file_digest
from prompt_ensemble.findings import Findings, Line
from prompt_ensemble.predictors import Encode, Looker, Predictor

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from prompt_ensemble.device import Placement
    from prompt_ensemble.retrieval.exact_search import Neighbours
    from prompt_ensemble.retrieval.neighbour_bank import NeighbourBank
    from prompt_ensemble.weights import WeightRoots

    Search = Callable[[np.ndarray], Neighbours]


@dataclass(frozen=True)
class NeighbourOptions:
    """How neighbours are found and weighed."""

    vectors_from: str = ""
    """Name of the member whose vectors are looked up."""
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
        if not options.vectors_from:
            raise BadConfig("a member of kind 'neighbours' needs the option vectors_from, a member")
        if options.nearest < 1 or options.shown < 0:
            raise BadConfig("options of 'neighbours': nearest must be 1 or more, shown 0 or more")
        self.folder = roots.find(weights).path

    def identity(self) -> Mapping[str, object]:
        """Options and the bank's card, which names its encoder and its sources by digest."""
        from prompt_ensemble.retrieval.neighbour_bank import CARD

        return asdict(self.options) | {"bank": file_digest(self.folder / CARD)}

    def needs(self) -> tuple[str, ...]:
        """The member whose vectors are looked up."""
        return (self.options.vectors_from,)

    def open(self, placement: Placement, beside: Mapping[str, Findings]) -> Looker:
        """The bank, mapped, and its index if one is wanted."""
        from prompt_ensemble.retrieval.neighbour_bank import open_neighbours

        bank = open_neighbours(self.folder)
        search = searcher(bank, self.options, placement.device)
        return NeighbourLooker(bank, search, beside[self.options.vectors_from], self.options)

    def embed(self, findings: Findings, encode: Encode) -> Embeddings:
        """The weighted means of the neighbours."""
        return Embeddings.of(findings.image_ids, findings.vectors)


def searcher(
    bank: NeighbourBank, options: NeighbourOptions, device: torch.device | str = "cpu"
) -> Search:
    """The search that the options ask for, everything loaded."""
    if options.index == "exact":
        from prompt_ensemble.retrieval.exact_search import search_exactly

        return partial(search_exactly, bank, count=options.nearest, device=device)
    from prompt_ensemble.retrieval.faiss_search import FaissSearch

    index = FaissSearch(bank, options.index, options.effort)
    return partial(index.search, count=options.nearest)


class NeighbourLooker:
    """A bank to look through, and the vectors to look up."""

    sees_images = False

    def __init__(
        self, bank: NeighbourBank, search: Search, seen: Findings, options: NeighbourOptions
    ) -> None:
        self.bank = bank
        self.search = search
        self.seen = seen
        self.options = options

    def prepare(self, image: Image.Image) -> tuple[torch.Tensor, ...]:
        """No view of the picture is needed."""
        return ()

    def look(self, views: tuple[torch.Tensor, ...], image_ids: Sequence[str]) -> Findings:
        """Prompts near to each image, and their weighted mean."""
        import torch

        from prompt_ensemble.retrieval.weighting import neighbour_shares, weighted_mean

        # Full precision whatever the run's: the products are small and the cosines are shown.
        with torch.autocast("cuda", enabled=False), torch.autocast("cpu", enabled=False):
            found = self.search(self.seen.take(image_ids).vectors)
        shares = neighbour_shares(found.cosines, self.options.power)
        vectors = weighted_mean(shares, self.bank.vectors(found.numbers))
        return Findings(tuple(image_ids), self.named(found), vectors)

    def named(self, found: Neighbours) -> tuple[tuple[Line, ...], ...]:
        """The nearest prompts as text."""
        shown = self.options.shown
        return tuple(
            tuple(
                Line("neighbour", self.bank.prompt(int(number)), float(cosine))
                for number, cosine in zip(numbers[:shown], cosines[:shown], strict=True)
            )
            for numbers, cosines in zip(found.numbers, found.cosines, strict=True)
        )

"""All that tuning needs to know of predictions: inner products per image, not 384 numbers.

The cosine of a blend with weights ``w`` to the truth is ``w·t / sqrt(w·Gw)``, with ``t`` the
members' cosines to the truth and ``G`` those among the members: K(K+1)/2 + K numbers an image,
computed once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.pair_products import column_of_pair, pair_products, row_products


@dataclass(frozen=True, eq=False)
class Statistics:
    """Inner products of unit rows, per image; float64."""

    names: tuple[str, ...]
    to_truth: np.ndarray
    """``(N, K)`` cosine of each member to the truth."""
    among: np.ndarray
    """``(N, K(K+1)/2)`` cosines of members to each other, upper triangles row by row."""

    def __len__(self) -> int:
        return len(self.to_truth)

    def rows(self, chosen: np.ndarray) -> Statistics:
        """The same for some images, by mask or numbers."""
        return Statistics(self.names, self.to_truth[chosen], self.among[chosen])

    def members(self, names: Sequence[str]) -> Statistics:
        """The same for some members."""
        places = [self.names.index(name) for name in names]
        upper = np.triu_indices(len(places))
        columns = self.column_of_pair[np.ix_(places, places)][upper]
        return Statistics(tuple(names), self.to_truth[:, places], self.among[:, columns])

    @cached_property
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Members of each column of ``among``."""
        return np.triu_indices(len(self.names))

    @cached_property
    def column_of_pair(self) -> np.ndarray:
        """``(K, K)`` column of ``among`` that holds a pair of members."""
        return column_of_pair(len(self.names))


def gather(parts: Mapping[str, Embeddings], truth: Embeddings) -> Statistics:
    """Inner products of all members and the truth, joined by id, in the order of the truth."""
    names = tuple(sorted(parts))
    members = [parts[name].take(truth.image_ids).vectors for name in names]
    to_truth = np.stack([row_products(vectors, truth.vectors) for vectors in members], axis=1)
    return Statistics(names, to_truth, pair_products(members))

"""Inner products of several members' rows with each other, image by image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

IMAGES_PER_BLOCK = 512
"""Rows of all members that then stay in the cache while every pair is multiplied."""


def column_of_pair(count: int) -> np.ndarray:
    """Where each pair of so many members stands among the upper triangle, ``(K, K)``."""
    one, other = np.triu_indices(count)
    columns = np.zeros((count, count), int)
    columns[one, other] = columns[other, one] = np.arange(len(one))
    return columns


def products_among(ordered: Sequence[np.ndarray]) -> np.ndarray:
    """Inner products of each pair of members, ``(N, K(K+1)/2)``, a member with itself included."""
    one, other = np.triu_indices(len(ordered))
    among = np.empty((len(ordered[0]), len(one)))
    for start in range(0, len(among), IMAGES_PER_BLOCK):
        block = slice(start, start + IMAGES_PER_BLOCK)
        rows = [vectors[block] for vectors in ordered]
        for place, (first, second) in enumerate(zip(one, other, strict=True)):
            among[block, place] = products(rows[first], rows[second])
    return among


def products(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Inner products of corresponding rows."""
    found: np.ndarray = np.einsum("ij,ij->i", one, other)
    return found

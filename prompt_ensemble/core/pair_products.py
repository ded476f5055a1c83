"""Inner products of several members' rows with each other, image by image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

IMAGES_PER_BLOCK = 512
"""Rows of all members that then stay in the cache while every pair is multiplied."""


def pair_products(members: Sequence[np.ndarray]) -> np.ndarray:
    """Inner products of each pair of members, ``(N, K(K+1)/2)``, a member with itself included."""
    firsts, seconds = np.triu_indices(len(members))
    products = np.empty((len(members[0]), len(firsts)))
    for start in range(0, len(products), IMAGES_PER_BLOCK):
        block = slice(start, start + IMAGES_PER_BLOCK)
        rows = [vectors[block] for vectors in members]
        for column, (first, second) in enumerate(zip(firsts, seconds, strict=True)):
            products[block, column] = row_products(rows[first], rows[second])
    return products


def column_of_pair(count: int) -> np.ndarray:
    """``(K, K)`` column of ``pair_products`` that holds each pair of so many members."""
    firsts, seconds = np.triu_indices(count)
    columns = np.zeros((count, count), int)
    columns[firsts, seconds] = columns[seconds, firsts] = np.arange(len(firsts))
    return columns


def row_products(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Inner products of corresponding rows."""
    products: np.ndarray = np.einsum("ij,ij->i", first, second)
    return products

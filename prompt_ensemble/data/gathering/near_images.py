"""Images that are nearly the same, by their perceptual hashes; for millions of them.

Two hashes that differ in no more than ``bits`` places agree wholly in at least one of ``bits + 1``
bands. So only hashes that share a band are compared: sorted by a band, each with the next one, the
one after, and so on while the band is the same, all at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.images.perceptual_hash import BITS

MOST_BITS = 12
"""Beyond that bands are so narrow that nearly all hashes are compared with each other."""


def first_near_images(hashes: np.ndarray, bits: int, *, progress: Progress = silent) -> np.ndarray:
    """For each hash the place of the first kept one within ``bits`` of it, ``(N,)`` int64.

    As with prompts: what is kept is mutually dissimilar, and what is not has its like among it.
    """
    check_bits(bits)
    distinct, first, number = np.unique(hashes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    near = [np.empty((0, 2), np.int64)]
    with progress("near-duplicate images", bits + 1, "band") as advance:
        for band in _bands(bits + 1) if bits else ():
            near += [np.sort(rank[pairs], axis=1) for pairs in _pairs(distinct, band, bits)]
            advance(1)
    stands_for = _first_kept(np.unique(np.concatenate(near), axis=0), len(distinct))
    places: np.ndarray = first[order][stands_for[rank[number]]]
    return places


def check_bits(bits: int) -> None:
    """Complain about a distance that cannot be searched for."""
    if not 0 <= bits <= MOST_BITS:
        raise BadConfig(f"near bits are {bits}; expected 0 to {MOST_BITS}")


def _bands(count: int) -> Iterator[np.uint64]:
    """Masks that cut the bits into so many parts."""
    edges = np.linspace(0, BITS, count + 1).round().astype(int).tolist()
    for low, high in pairwise(edges):
        yield np.uint64(((1 << (high - low)) - 1) << low)


def _pairs(hashes: np.ndarray, band: np.uint64, bits: int) -> Iterator[np.ndarray]:
    """Places of hashes that share a band and are near, ``(P, 2)``."""
    keys = hashes & band
    order = np.argsort(keys, kind="stable")
    keys, sorted_hashes = keys[order], hashes[order]
    left = np.arange(len(hashes))
    distance = 0
    while len(left):
        distance += 1
        left = left[left + distance < len(hashes)]
        left = left[keys[left] == keys[left + distance]]
        apart = np.bitwise_count(sorted_hashes[left] ^ sorted_hashes[left + distance])
        near = left[apart <= bits]
        if len(near):
            yield np.stack([order[near], order[near + distance]], axis=1)


def _first_kept(pairs: np.ndarray, count: int) -> np.ndarray:
    """For each of ``count`` the first kept one that it is paired with, or itself."""
    stands_for = np.arange(count)
    # Pairs come sorted by the earlier of the two, so that whether it is kept is known by then.
    for earlier, later in pairs.tolist():
        if stands_for[earlier] == earlier and stands_for[later] == later:
            stands_for[later] = earlier
    return stands_for

"""Neighbour banks: queries a second against a plain NumPy product, and what FAISS finds.

    python benchmarks/neighbours.py --rows 1000000 --hnsw-rows 200000

Rows are synthetic: seeded centres, and around each of them points that differ in few directions,
as sentence embeddings do; queries are drawn alike. So recall is that of such a set and not of real
prompts. The bank's files are in the page cache after they are written.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, unit_rows
from prompt_ensemble.members.neighbours import faiss_search
from prompt_ensemble.members.neighbours.exact_search import Neighbours, search_exactly
from prompt_ensemble.members.neighbours.neighbour_bank import (
    CARD,
    BankCard,
    NeighbourBank,
    claim,
    open_neighbours,
    shard_path,
)
from prompt_ensemble.members.neighbours.shards import write_shard

CENTRES = 2_000
DIRECTIONS = 48
"""In which points of one centre differ; as many numbers of 384 would suffice to tell them apart."""
ROWS_PER_SHARD = 65_536
NEAREST = 100
Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--hnsw-rows", type=int, default=200_000)
    parser.add_argument("--queries", type=int, default=256)
    asked = parser.parse_args()
    print("| what | prompts | s to make | MB on disk | queries/s | recall@100 |")
    print("|---|---|---|---|---|---|")
    with TemporaryDirectory() as folder:
        measure(Path(folder) / "large", asked.rows, asked.queries, "ivfpq", (16, 64, 256))
        measure(Path(folder) / "small", asked.hnsw_rows, asked.queries, "hnsw", (128, 256, 512))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"\nPeak memory of the whole process, mapped pages included: {peak:.0f} MB")


def measure(folder: Path, rows: int, count: int, kind: str, efforts: tuple[int, ...]) -> None:
    """Both exact ways, then one kind of index with growing effort."""
    seconds, bank = timed(lambda: synthetic_bank(folder, rows))
    queries = points(np.random.default_rng(1), count)
    numpy_seconds, plain = timed(partial(plain_product, queries=queries, matrix=in_memory(bank)))
    size = 4 * EMBEDDING_WIDTH * rows
    show("NumPy product, fp32 in memory", rows, 0, size, count / numpy_seconds, 1.0)
    exact_seconds, exact = timed(lambda: search_exactly(bank, queries, NEAREST))
    same = faiss_search.recall(exact, plain)
    size = sum(shard.path.stat().st_size for shard in bank.shards)
    show("exact, fp16 mapped", rows, seconds, size, count / exact_seconds, same)
    made, _ = timed(lambda: faiss_search.build_index(bank, kind))
    size = faiss_search.index_path(bank, kind).stat().st_size
    for effort in efforts:
        search = faiss_search.FaissSearch(bank, kind, effort)
        search.search(queries[:8], NEAREST)
        taken, found = timed(lambda search=search: search.search(queries, NEAREST))
        share = faiss_search.recall(found, exact)
        show(f"{kind}, effort {effort}", rows, made, size, count / taken, share)


def synthetic_bank(folder: Path, rows: int) -> NeighbourBank:
    """A bank as ``build_bank`` writes it, of seeded points and numbered prompts."""
    claim(folder, BankCard("synthetic", None, (str(rows),), CARD, ROWS_PER_SHARD))
    random = np.random.default_rng(0)
    cuts = [*range(0, rows, ROWS_PER_SHARD), rows]
    for number, (start, end) in enumerate(pairwise(cuts)):
        prompts = [f"prompt number {row} of a bank that is not real" for row in range(start, end)]
        write_shard(shard_path(folder, number), prompts, points(random, end - start), None)
    return open_neighbours(folder)


def points(random: np.random.Generator, count: int) -> np.ndarray:
    """Unit rows around centres that are the same for every caller."""
    fixed = np.random.default_rng(7)
    centres = unit_rows(fixed.standard_normal((CENTRES, EMBEDDING_WIDTH), np.float32))
    directions = unit_rows(fixed.standard_normal((DIRECTIONS, EMBEDDING_WIDTH), np.float32))
    apart = unit_rows(random.standard_normal((count, DIRECTIONS), np.float32) @ directions)
    return unit_rows(centres[random.integers(0, CENTRES, count)] + apart)


def in_memory(bank: NeighbourBank) -> np.ndarray:
    """All keys in float32, as a program without a bank would hold them."""
    return bank.keys(np.arange(len(bank)))


def plain_product(matrix: np.ndarray, queries: np.ndarray) -> Neighbours:
    """One product and a partial sort, 32 queries at a time."""
    parts = []
    for start in range(0, len(queries), 32):
        cosines = queries[start : start + 32] @ matrix.T
        numbers = np.argpartition(-cosines, NEAREST, axis=1)[:, :NEAREST]
        near = np.take_along_axis(cosines, numbers, axis=1)
        parts.append(np.take_along_axis(numbers, np.argsort(-near, axis=1), axis=1))
    return Neighbours(np.empty((0, 0), np.float32), np.concatenate(parts))


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def show(what: str, rows: int, made: float, size: int, speed: float, share: float) -> None:
    print(f"| {what} | {rows:,} | {made:.0f} | {size / 2**20:.0f} | {speed:.1f} | {share:.3f} |")


if __name__ == "__main__":
    main()

"""Approximate neighbours with FAISS, for banks that are too large to be multiplied through.

``ivfpq`` keeps 64 bytes a prompt in inverted lists and can be mapped from the disk; ``hnsw`` keeps
the rows in fp16 and a graph over them in memory, and finds more of the true neighbours.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.core.errors import BadConfig, BadWeights
from prompt_ensemble.core.extras import import_extra
from prompt_ensemble.members.neighbours.exact_search import Neighbours, check_width
from prompt_ensemble.members.neighbours.neighbour_bank import NeighbourBank
from prompt_ensemble.models.exact_ranking import exact_products

KINDS = ("ivfpq", "hnsw")
CELLS_PER_ROOT = 2
_MOST_CELLS = 65_536
TRAINING_ROWS_PER_CELL = 40
_FEWEST_TRAINING_ROWS = 256
"""A code has 256 values, each of which is learnt from a row at least."""
_CODE_BYTES = 64
_CODE_TRAINING_ROWS = 64
"""Rows for each of a code's 256 values; FAISS wants 39 and would take 256, four times as long."""
_CANDIDATES = {"ivfpq": 4, "hnsw": 1}
"""Rows fetched for each neighbour wanted: codes are coarse, so true cosines choose among more."""
_LINKS = 32
"""Neighbours of a node in the graph."""


def build_index(bank: NeighbourBank, kind: str) -> None:
    """Index all keys of a bank and write the index next to its shards."""
    faiss = import_faiss()
    index = _empty_index(faiss, bank, kind)
    if not index.is_trained and len(bank) < _FEWEST_TRAINING_ROWS:
        raise BadConfig(
            f"{bank.folder} holds {len(bank)} prompts; an {kind} index learns from "
            f"{_FEWEST_TRAINING_ROWS} at least, so search this bank exactly, without an index"
        )
    if not index.is_trained:
        index.train(_training_rows(bank))
    for shard in bank.shards:
        index.add(np.asarray(shard.keys, np.float32))
    path = index_path(bank, kind)
    temporary = path.with_suffix(".tmp")
    faiss.write_index(index, str(temporary))
    temporary.replace(path)


def _empty_index(faiss: ModuleType, bank: NeighbourBank, kind: str) -> Any:
    """An index of a kind, sized for the bank; the same bank gives the same index."""
    width, metric = bank.width, faiss.METRIC_INNER_PRODUCT
    if kind == "hnsw":
        graph = faiss.IndexHNSWSQ(width, faiss.ScalarQuantizer.QT_fp16, _LINKS, metric)
        graph.hnsw.efConstruction = 100
        return graph
    if kind != "ivfpq":
        raise BadConfig(f"index kind {kind!r} is unknown; known: {', '.join(KINDS)}")
    quantizer = faiss.IndexFlatIP(width)
    lists = faiss.IndexIVFPQ(quantizer, width, _cells_for(len(bank)), _code_bytes(width), 8, metric)
    lists.own_fields = True
    quantizer.this.disown()
    lists.cp.seed = 0
    lists.pq.cp.max_points_per_centroid = _CODE_TRAINING_ROWS
    lists.pq.cp.niter = 10
    return lists


def _cells_for(rows: int) -> int:
    """Inverted lists for so many rows, never so many that training starves."""
    wanted = int(CELLS_PER_ROOT * rows**0.5)
    return max(1, min(wanted, _MOST_CELLS, rows // TRAINING_ROWS_PER_CELL))


def _code_bytes(width: int) -> int:
    """The most bytes a code may have that divide the width evenly."""
    return max(size for size in range(1, _CODE_BYTES + 1) if width % size == 0)


def _training_rows(bank: NeighbourBank) -> np.ndarray:
    """A seeded sample of the keys, float32."""
    wanted = min(len(bank), max(_cells_for(len(bank)) * TRAINING_ROWS_PER_CELL, 256 * 40))
    chosen = np.sort(np.random.default_rng(0).choice(len(bank), wanted, replace=False))
    ends = np.append(bank.starts[1:], len(bank))
    parts = [
        np.asarray(shard.keys[chosen[(chosen >= start) & (chosen < end)] - start], np.float32)
        for shard, start, end in zip(bank.shards, bank.starts, ends, strict=True)
    ]
    return np.concatenate(parts)


class FaissSearch:
    """An index read once and asked often."""

    def __init__(self, bank: NeighbourBank, kind: str, effort: int = 64) -> None:
        """``effort`` is the number of lists looked through, or of candidates in the graph."""
        self.bank = bank
        self.candidates = _CANDIDATES[kind]
        self.index = read_index(bank, kind)
        if kind == "ivfpq":
            self.index.nprobe = effort
        else:
            self.index.hnsw.efSearch = effort

    def search(self, queries: np.ndarray, count: int) -> Neighbours:
        """Nearest prompts; cosines are those with the bank's own keys, not the index's codes."""
        check_width(self.bank, queries)
        where = unit_rows(queries)
        count = min(count, len(self.bank))
        wanted = min(self.candidates * count, len(self.bank))
        _, numbers = self.index.search(where, wanted)
        found = self.rescored(where, numbers)
        return Neighbours(found.cosines[:, :count], found.numbers[:, :count])

    def rescored(self, queries: np.ndarray, numbers: np.ndarray) -> Neighbours:
        """Candidates in the order of their true cosines; places not filled come last."""
        numbers = np.sort(numbers, axis=1)  # of equal cosines the first in the bank wins
        keys = torch.from_numpy(self.bank.keys(np.maximum(numbers, 0)))
        products = exact_products(torch.from_numpy(queries)[:, None], keys)
        cosines: np.ndarray = products.numpy()
        cosines[numbers < 0] = -1.0
        order = np.argsort(-cosines, axis=1, kind="stable")
        sorted_numbers = np.take_along_axis(numbers, order, axis=1)
        sorted_cosines = np.take_along_axis(cosines, order, axis=1).astype(np.float32)
        return Neighbours(sorted_cosines, np.maximum(sorted_numbers, 0))


def read_index(bank: NeighbourBank, kind: str) -> Any:
    """The index next to the shards, inverted lists mapped instead of read."""
    faiss = import_faiss()
    path = index_path(bank, kind)
    if not path.exists():
        raise BadWeights(f"{path} is not there; make it with 'prompt-ensemble bank index'")
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP if kind == "ivfpq" else 0)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise BadWeights(f"{path} is damaged ({reason}); delete it and make it again") from error
    if index.ntotal != len(bank) or index.d != bank.width:
        raise BadWeights(
            f"{path} indexes {index.ntotal} prompts, the bank holds {len(bank)}; make it again"
        )
    return index


def index_path(bank: NeighbourBank, kind: str) -> Path:
    """Where an index lies."""
    return bank.folder / f"{kind}.faiss"


def recall(found: Neighbours, exact: Neighbours) -> float:
    """Share of the true neighbours that were found, over all queries."""
    hits = [len(np.intersect1d(*pair)) for pair in zip(found.numbers, exact.numbers, strict=True)]
    return sum(hits) / exact.numbers.size


def import_faiss() -> ModuleType:
    """FAISS, or an error that names the extra."""
    need = "approximate neighbours need FAISS"
    return import_extra("faiss", "faiss", need, "search exactly")

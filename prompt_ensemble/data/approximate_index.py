"""Nearest of very many vectors: exact while they are few, inverted lists of FAISS beyond that.

The lists are trained anew whenever their content has doubled, so prompts of a source that comes
late have cells of their own, and the number of cells keeps step with the number of vectors.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH
from prompt_ensemble.core.extras import import_extra
from prompt_ensemble.data.exact_index import ExactIndex

_EXACT_LIMIT = 200_000
"""Vectors up to which exact products are fast enough on two cores."""
CELLS_PER_ROOT = 4
TRAINING_ROWS_PER_CELL = 40
_CELLS_PROBED = 24


class ApproximateIndex:
    """An ``ExactIndex`` that turns into inverted lists, fp16, when it grows past ``limit``."""

    def __init__(self, limit: int = _EXACT_LIMIT, cells_probed: int = _CELLS_PROBED) -> None:
        self.exact = ExactIndex()
        self.lists: Any = None
        self.limit = limit
        self.cells_probed = cells_probed

    def __len__(self) -> int:
        return len(self.exact) if self.lists is None else int(self.lists.ntotal)

    def add(self, vectors: np.ndarray) -> None:
        """Append unit rows, training the lists again when it is time."""
        (self.exact if self.lists is None else self.lists).add(vectors)
        if len(self) > self.limit:
            self.limit = 2 * len(self)
            self.lists = _trained_lists(self.all_vectors(), self.cells_probed)
            self.exact = ExactIndex()

    def all_vectors(self) -> np.ndarray:
        """Everything added so far, in order."""
        if self.lists is None:
            return self.exact.vectors
        self.lists.make_direct_map()
        found: np.ndarray = self.lists.reconstruct_n(0, self.lists.ntotal)
        return found

    def nearest(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Highest cosine found for each query, and the place it was added at."""
        if self.lists is None:
            return self.exact.nearest(queries)
        cosines, places = self.lists.search(np.ascontiguousarray(queries), 1)
        return cosines[:, 0], places[:, 0]


def _trained_lists(vectors: np.ndarray, cells_probed: int) -> Any:
    """Inverted lists holding ``vectors``; the same vectors give the same lists."""
    faiss = import_faiss()
    most = max(1, len(vectors) // TRAINING_ROWS_PER_CELL)
    cells = min(int(CELLS_PER_ROOT * len(vectors) ** 0.5), most)
    quantizer = faiss.IndexFlatIP(EMBEDDING_WIDTH)
    kind = faiss.ScalarQuantizer.QT_fp16
    lists = faiss.IndexIVFScalarQuantizer(
        quantizer, EMBEDDING_WIDTH, cells, kind, faiss.METRIC_INNER_PRODUCT, False
    )
    lists.cp.seed = 0
    sample = np.random.default_rng(0).choice(
        len(vectors), min(len(vectors), cells * TRAINING_ROWS_PER_CELL), replace=False
    )
    lists.train(vectors[np.sort(sample)])
    lists.add(vectors)
    lists.nprobe = cells_probed
    return lists


def import_faiss() -> ModuleType:
    """FAISS, or an error that names the extra."""
    need = f"more than {_EXACT_LIMIT} distinct prompts need FAISS"
    return import_extra("faiss", "faiss", need, "use --exact and wait")

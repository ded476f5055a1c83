"""Nearest of the vectors seen so far, by products in blocks: exact, and bounded in memory."""

from __future__ import annotations

import numpy as np

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH

ROWS_PER_PRODUCT = 8192
"""Rows multiplied at once; with 2048 queries a product is 64 MB."""


ALL_BUT_EQUAL = 0.9
"""Cosine from which on two prompts are all but the same."""


class ExactIndex:
    """Unit rows in the order they were added, in an array that doubles when it is full."""

    def __init__(self, width: int = EMBEDDING_WIDTH) -> None:
        self.rows = np.empty((ROWS_PER_PRODUCT, width), np.float32)
        self.count = 0

    def __len__(self) -> int:
        return self.count

    @property
    def vectors(self) -> np.ndarray:
        """All rows added, ``(len, width)``."""
        return self.rows[: self.count]

    def add(self, vectors: np.ndarray) -> None:
        """Append unit rows."""
        needed = self.count + len(vectors)
        if needed > len(self.rows):
            larger = np.empty((max(needed, 2 * len(self.rows)), self.rows.shape[1]), np.float32)
            larger[: self.count] = self.vectors
            self.rows = larger
        self.rows[self.count : needed] = vectors
        self.count = needed

    def nearest(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Highest cosine of each query, ``(Q,)``, and the place it was added at; -1 if empty."""
        best = np.full(len(queries), -np.inf, np.float32)
        place = np.full(len(queries), -1, np.int64)
        for start in range(0, self.count, ROWS_PER_PRODUCT):
            product = queries @ self.vectors[start : start + ROWS_PER_PRODUCT].T
            highest = product.max(axis=1)
            better = np.flatnonzero(highest > best)
            best[better] = highest[better]
            place[better] = start + product[better].argmax(axis=1)
        return best, place


def far_from(vectors: np.ndarray, avoid: np.ndarray) -> np.ndarray:
    """Numbers of the unit rows that are all but equal to none of those to avoid."""
    index = ExactIndex(vectors.shape[1])
    index.add(avoid)
    nearest, _ = index.nearest(vectors)
    return np.flatnonzero(nearest < ALL_BUT_EQUAL)

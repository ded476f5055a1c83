"""Groups of prompts that are connected by likeness: what a split must never cut.

Two prompts are linked at a cosine of 0.7 or more, and a group is everything that links lead to.
A model that was trained on one prompt of a group has all but seen the others.
"""

from __future__ import annotations

import numpy as np

from prompt_ensemble.core.progress import Progress, silent

GROUP_THRESHOLD = 0.7
ROWS_PER_BLOCK = 1024
COLUMNS_PER_BLOCK = 8192


def connected_groups(
    vectors: np.ndarray, threshold: float = GROUP_THRESHOLD, *, progress: Progress = silent
) -> np.ndarray:
    """Group number of each unit row, ``(N,)`` int64, numbered as groups first appear."""
    distinct, number = _distinct_rows(vectors)
    groups = np.arange(len(distinct))
    with progress("grouping prompts", len(distinct), "prompt") as advance:
        for start in range(0, len(distinct), ROWS_PER_BLOCK):
            rows = distinct[start : start + ROWS_PER_BLOCK]
            for before in range(0, start + len(rows), COLUMNS_PER_BLOCK):
                columns = distinct[before : min(before + COLUMNS_PER_BLOCK, start + len(rows))]
                near = np.flatnonzero(rows @ columns.T >= threshold)
                linked, to = np.divmod(near, len(columns))
                groups = merge(groups, groups[start + linked], groups[before + to])
            advance(len(rows))
    return _by_first_appearance(groups[number])


def _distinct_rows(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows without repetition, and for each row the number of its like."""
    first: dict[bytes, int] = {}
    number = np.array([first.setdefault(row.tobytes(), len(first)) for row in vectors], np.int64)
    _, places = np.unique(number, return_index=True)
    return vectors[places], number


def merge(groups: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Groups after those at either end of each link have become one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if np.array_equal(one, other):
        return groups
    size = int(groups.max()) + 1
    links = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(size, size))
    _, merged = connected_components(links, directed=False)
    joined: np.ndarray = merged[groups].astype(np.int64)
    return joined


def _by_first_appearance(groups: np.ndarray) -> np.ndarray:
    """The same groups, numbered 0, 1, 2 … as they first appear."""
    _, places, number = np.unique(groups, return_index=True, return_inverse=True)
    rank = np.empty(len(places), np.int64)
    rank[np.argsort(places)] = np.arange(len(places))
    numbered: np.ndarray = rank[number]
    return numbered

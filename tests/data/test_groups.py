"""Connected prompts."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.data import groups as module
from prompt_ensemble.data.groups import connected_groups


def by_definition(vectors: np.ndarray, threshold: float) -> list[int]:
    """Follow links from each row until nothing new is reached."""
    linked = vectors @ vectors.T >= threshold
    groups = [-1] * len(vectors)
    for row in range(len(vectors)):
        if groups[row] < 0:
            number, waiting = max(groups) + 1, [row]
            while waiting:
                one = waiting.pop()
                groups[one] = number
                waiting += [n for n in np.flatnonzero(linked[one]).tolist() if groups[n] < 0]
    return groups


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 999), rows=st.integers(1, 30), columns=st.integers(1, 30))
def test_blocks_find_the_groups_of_the_definition(seed, rows, columns):
    vectors = unit_rows(np.random.default_rng(seed).normal(size=(50, 3)))
    vectors = np.concatenate([vectors, vectors[:5]])
    module.ROWS_PER_BLOCK, module.COLUMNS_PER_BLOCK = rows, columns
    try:
        assert connected_groups(vectors, 0.95).tolist() == by_definition(vectors, 0.95)
    finally:
        module.ROWS_PER_BLOCK, module.COLUMNS_PER_BLOCK = 1024, 8192


def test_a_chain_is_one_group_though_its_ends_differ():
    angles = np.linspace(0, np.pi / 2, 10)
    chain = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert set(connected_groups(chain, 0.97)) == {0}
    assert len(set(connected_groups(chain[::5], 0.97))) == 2

"""Near duplicates: exactness, order, blocks, and the approximate index against the exact one."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, unit_rows
from prompt_ensemble.core.errors import BadConfig, MissingDependency
from prompt_ensemble.data import deduplication
from prompt_ensemble.data.approximate_index import ApproximateIndex
from prompt_ensemble.data.deduplication import deduplicate, near_duplicates
from prompt_ensemble.data.exact_index import ExactIndex


def clustered(count: int, clusters: int, spread: float, seed: int = 0) -> np.ndarray:
    """Unit rows about so many directions."""
    random = np.random.default_rng(seed)
    centres = unit_rows(random.normal(size=(clusters, EMBEDDING_WIDTH)))
    noise = random.normal(size=(count, EMBEDDING_WIDTH)) * spread / EMBEDDING_WIDTH**0.5
    return unit_rows(centres[random.integers(0, clusters, count)] + noise)


def one_after_another(vectors: np.ndarray, threshold: float) -> list[int]:
    """The definition: keep a row unless a kept one is near."""
    kept: list[int] = []
    for row, vector in enumerate(vectors):
        if not any(vectors[other] @ vector >= threshold for other in kept):
            kept.append(row)
    return kept


def kept_rows(stands_for: np.ndarray) -> list[int]:
    return np.flatnonzero(stands_for == np.arange(len(stands_for))).tolist()


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 999), block=st.integers(1, 80), spread=st.floats(0.3, 0.7))
def test_blocks_keep_what_the_definition_keeps(seed, block, spread):
    vectors = clustered(70, 12, spread, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deduplication, "QUERIES_PER_BLOCK", block)
        found = near_duplicates([vectors[:33], vectors[33:]], 0.8, ExactIndex())
    assert kept_rows(found) == one_after_another(vectors, 0.8)


def test_whatever_is_dropped_is_near_to_a_kept_row_before_it():
    vectors = clustered(500, 60, 0.45)
    found = near_duplicates([vectors], 0.8, ExactIndex())
    dropped = np.flatnonzero(found != np.arange(500))
    assert len(dropped) > 100
    assert np.all(found[dropped] < dropped)
    assert np.all(found[found] == found)
    assert np.all(np.einsum("ij,ij->i", vectors[dropped], vectors[found[dropped]]) >= 0.8 - 1e-6)


def test_the_exact_index_finds_the_nearest_across_its_blocks(monkeypatch):
    monkeypatch.setattr("prompt_ensemble.data.exact_index.ROWS_PER_PRODUCT", 16)
    vectors, queries = clustered(100, 100, 0.5), clustered(20, 20, 0.5, seed=1)
    index = ExactIndex()
    for start in range(0, 100, 30):
        index.add(vectors[start : start + 30])
    cosines, places = index.nearest(queries)
    assert places.tolist() == (queries @ vectors.T).argmax(axis=1).tolist()
    assert np.allclose(cosines, (queries @ vectors.T).max(axis=1))


def test_inverted_lists_keep_almost_what_exact_products_keep():
    pytest.importorskip("faiss")
    vectors = clustered(6000, 2000, 0.5)
    index = ApproximateIndex(limit=400)
    near = near_duplicates([vectors], 0.8, index)
    exact = near_duplicates([vectors], 0.8, ExactIndex())
    assert index.lists is not None
    assert len(index) == len(kept_rows(near))
    dropped, found = exact != np.arange(6000), near != np.arange(6000)
    assert np.mean(found[dropped]) > 0.98
    assert np.array_equal(near, near_duplicates([vectors], 0.8, ApproximateIndex(limit=400))), (
        "not deterministic"
    )


def test_without_faiss_many_prompts_are_an_error_that_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingDependency, match=r"pip install 'prompt-ensemble\[faiss\]'"):
        near_duplicates([clustered(300, 300, 0.1)], 0.8, ApproximateIndex(limit=100))


def test_prompts_lose_exact_duplicates_before_anything_is_embedded():
    directions = np.eye(EMBEDDING_WIDTH, dtype=np.float32)
    asked: list[str] = []

    def encode(texts):
        asked.extend(texts)
        return directions[[len(text) for text in texts]]

    found = deduplicate(["aa", "AA ", "b", "cc", "aa,"], encode, 0.9)
    assert asked == ["aa", "b", "cc"]
    assert found.stands_for.tolist() == [0, 0, 2, 0, 0]
    assert (found.kept.tolist(), found.exact, found.near) == ([0, 2], 2, 1)


def test_no_prompts_are_no_prompts():
    found = deduplicate([], lambda texts: np.zeros((0, EMBEDDING_WIDTH), np.float32))
    assert (len(found.kept), found.exact, found.near) == (0, 0, 0)


@pytest.mark.parametrize("threshold", [0, -0.1, 1.1, float("nan")])
def test_a_threshold_is_a_cosine(threshold):
    with pytest.raises(BadConfig, match="threshold"):
        deduplicate(["a"], lambda texts: np.zeros((1, EMBEDDING_WIDTH)), threshold)

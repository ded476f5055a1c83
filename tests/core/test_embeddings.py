"""Vectors and their ids."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings, unit_rows
from prompt_ensemble.core.errors import BadWeights, MismatchedIds


def rows(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, EMBEDDING_WIDTH)).astype("f")


def test_rows_are_scaled_to_length_one():
    vectors = Embeddings.of("ab", rows(2) * 1e6).vectors
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_zero_row_stays_zero_instead_of_becoming_nan():
    assert not unit_rows(np.zeros((1, 4))).any()


def test_taking_follows_ids_not_positions():
    embeddings = Embeddings.of(["a", "b", "c"], rows(3))
    taken = embeddings.take(["c", "a"])
    assert np.array_equal(taken.vectors, embeddings.vectors[[2, 0]])


def test_taking_an_unknown_id_names_it():
    with pytest.raises(MismatchedIds, match="'x'"):
        Embeddings.of("ab", rows(2)).take(["a", "x"])


def test_an_id_may_not_stand_twice():
    with pytest.raises(MismatchedIds, match="'a' stands twice"):
        Embeddings.of("aa", rows(2))


@pytest.mark.parametrize("shape", [(2, 383), (1, 384)])
def test_ids_and_vectors_must_fit(shape):
    with pytest.raises(MismatchedIds):
        Embeddings(("a", "b"), np.zeros(shape, np.float32))


@given(st.lists(st.text(), min_size=1, max_size=5, unique=True))
def test_a_file_keeps_every_id_and_bit(ids):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        embeddings = Embeddings.of(ids, rows(len(ids)))
        embeddings.save(Path(folder) / "e.safetensors")
        loaded = Embeddings.load(Path(folder) / "e.safetensors")
    assert loaded.image_ids == tuple(ids)
    assert np.array_equal(loaded.vectors, embeddings.vectors)


def test_a_file_that_is_none_is_refused(tmp_path):
    path = tmp_path / "e.safetensors"
    path.write_bytes(b"not this")
    with pytest.raises(BadWeights, match="not an embeddings file"):
        Embeddings.load(path)

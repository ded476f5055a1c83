"""Vectors and their ids."""

import numpy as np
import pandas as pd
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
    with pytest.raises(MismatchedIds, match="'a' occurs twice"):
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


@given(st.lists(st.text(), min_size=1, max_size=5, unique=True))
def test_a_table_keeps_ids_and_vectors(ids):
    embeddings = Embeddings.of(ids, rows(len(ids)))
    frame = embeddings.to_frame()
    assert frame.shape == (len(ids), EMBEDDING_WIDTH)
    for table in (frame, frame.reset_index()):
        again = Embeddings.from_frame(table)
        assert again.image_ids == tuple(ids)
        assert np.allclose(again.vectors, embeddings.vectors, atol=1e-7)


def test_rows_of_a_table_are_scaled_and_numbers_as_ids_are_texts():
    frame = pd.DataFrame(rows(2) * 5.0, index=[17, 4])
    embeddings = Embeddings.from_frame(frame)
    assert embeddings.image_ids == ("17", "4")
    assert np.allclose(np.linalg.norm(embeddings.vectors, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda frame: frame.assign(prompt="a cat"), "more than ids and numbers"),
        (lambda frame: frame.drop(columns=3), "embeddings of 2 images must be"),
        (lambda frame: frame.rename(index={"b": "a"}), "'a' occurs twice"),
        (lambda frame: frame.reindex(["a", "x"]), "row of 'x' has no number"),
    ],
)
def test_a_table_that_is_none_of_embeddings_is_one_clear_error(spoil, message):
    with pytest.raises(MismatchedIds, match=message) as caught:
        Embeddings.from_frame(spoil(Embeddings.of("ab", rows(2)).to_frame()))
    assert "\n" not in str(caught.value)

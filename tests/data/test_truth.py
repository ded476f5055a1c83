"""The truth about images: the same from a file as from a pandas table."""

import numpy as np
import pandas as pd
import pytest

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings
from prompt_ensemble.core.errors import BadConfig, DuplicateImageId
from prompt_ensemble.core.submission import submission_frame, write_submission
from prompt_ensemble.data.truth import load_prompts, load_references, read_truth

PROMPTS = pd.DataFrame(
    {"imgId": ["b", "a"], "prompt": ["a cat, asleep", "a dog"], "source": ["x", "y"]}
)


def encode(texts):
    """A direction for each length of text."""
    return np.eye(EMBEDDING_WIDTH, dtype=np.float32)[[len(text) for text in texts]]


def test_a_table_of_prompts_is_read_as_its_file_is(tmp_path):
    PROMPTS.to_csv(tmp_path / "prompts.csv", index=False)
    from_file = read_truth(tmp_path / "prompts.csv", encode)
    from_table = read_truth(PROMPTS, encode)
    assert from_table.prompts == from_file.prompts == {"b": "a cat, asleep", "a": "a dog"}
    assert from_table.sources == from_file.sources == {"b": "x", "a": "y"}
    assert from_table.embeddings.image_ids == from_file.embeddings.image_ids
    assert np.array_equal(from_table.embeddings.vectors, from_file.embeddings.vectors)


def test_a_submission_as_a_table_is_a_truth_too():
    truth = read_truth(submission_frame(Embeddings.of("ab", encode(["a", "bc"]))), encode)
    assert truth.embeddings.image_ids == ("a", "b")
    assert truth.prompts == {}


def test_numbers_as_ids_are_texts():
    assert load_prompts(PROMPTS.assign(imgId=[7, 3])) == {"7": "a cat, asleep", "3": "a dog"}


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        (PROMPTS.drop(columns="prompt"), BadConfig, "the table has the columns"),
        (PROMPTS.assign(imgId="a"), DuplicateImageId, "the table lists image 'a' twice"),
        (PROMPTS.assign(prompt=["a cat", None]), BadConfig, "the row 1 lacks a cell"),
    ],
)
def test_a_table_that_will_not_do_is_one_clear_line(table, error, message):
    with pytest.raises(error, match=message) as caught:
        read_truth(table, encode)
    assert "\n" not in str(caught.value)


def test_an_image_may_have_several_references():
    table = pd.DataFrame({"imgId": ["a", "b", "a"], "prompt": ["a cat", "a dog", "a tabby"]})
    assert load_references(table) == {"a": ("a cat", "a tabby"), "b": ("a dog",)}


@pytest.mark.parametrize("suffix", ["csv", "safetensors"])
def test_vectors_are_no_references(tmp_path, suffix):
    vectors = Embeddings.of("ab", encode(["a", "bc"]))
    vectors.save(tmp_path / "truth.safetensors")
    write_submission(tmp_path / "truth.csv", vectors)
    with pytest.raises(BadConfig, match="holds no prompts, and texts are judged by prompts"):
        load_references(tmp_path / f"truth.{suffix}")

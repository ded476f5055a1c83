"""Tables of texts, as people and as commands write them."""

import json

import numpy as np
import pandas as pd
import pytest

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings
from prompt_ensemble.core.errors import BadConfig, DuplicateImageId
from prompt_ensemble.core.submission import write_submission
from prompt_ensemble.data.texts import has_texts, holds_texts, load_texts

CAPTIONS = {"a": "a cat, asleep", "b": ""}


@pytest.mark.parametrize("columns", ["imgId,prompt", "image_id,prompt", "imgId,caption"])
def test_a_table_is_read_by_the_names_of_its_columns(tmp_path, columns):
    table = tmp_path / "captions.csv"
    table.write_text(f'{columns}\na,"a cat, asleep"\nb,\n')
    assert holds_texts(table)
    assert load_texts(table) == CAPTIONS


def test_json_lines_are_read_as_the_caption_command_writes_them(tmp_path):
    rows = [{"image_id": image_id, "caption": text} for image_id, text in CAPTIONS.items()]
    table = tmp_path / "captions.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert holds_texts(table)
    assert load_texts(table) == CAPTIONS


def test_of_a_table_with_both_the_prompt_is_the_answer(tmp_path):
    table = tmp_path / "predictions.csv"
    table.write_text("image_id,caption,prompt\na,caption: a dog,a cat\n")
    assert has_texts(table)
    assert load_texts(table) == {"a": "a cat"}


def test_pandas_tables_are_read_too():
    frame = pd.DataFrame({"imgId": [1, 2], "caption": ["a", "b"]})
    assert load_texts(frame) == {"1": "a", "2": "b"}


def test_vectors_and_what_is_not_there_are_no_texts(tmp_path):
    vectors = Embeddings(("a",), np.eye(1, EMBEDDING_WIDTH, dtype=np.float32))
    write_submission(tmp_path / "submission.csv", vectors)
    vectors.save(tmp_path / "vectors.safetensors")
    for name in ("submission.csv", "vectors.safetensors", "nowhere.csv", "."):
        assert not holds_texts(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text", "error", "message"),
    [
        ("t.csv", "image_id,words\na,b\n", BadConfig, "has the columns .*'words'.* expected imgId"),
        ("t.csv", "image_id,prompt\na,b\na,c\n", DuplicateImageId, "lists image 'a' twice"),
        ("t.csv", "image_id,prompt\n", BadConfig, "has no text at all"),
        ("t.csv", "image_id,prompt\na,b,c\n", BadConfig, "a text that holds a comma belongs in"),
        ("t.jsonl", '{"image_id": "a"}\n', BadConfig, "line 1 has the keys .*; expected imgId"),
        ("t.jsonl", '{"id": "a", "prompt": 3}\n', BadConfig, "id and prompt are no texts"),
        ("t.jsonl", "a\tb\n", BadConfig, "line 1 cannot be read as an object with an image"),
    ],
)
def test_a_table_that_will_not_do_is_one_clear_line(tmp_path, name, text, error, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(error, match=message) as caught:
        load_texts(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)

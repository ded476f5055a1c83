"""Word pieces."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_writer import TEXTS

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.core.text_faults import is_broken
from prompt_ensemble.models.text_decoder.vocabulary import (
    END,
    PAD,
    START,
    TOKENIZER_FILE,
    encode_texts,
    learn_vocabulary,
    load_vocabulary,
    read_tokens,
)

TOKENIZER = learn_vocabulary(TEXTS, 120)


@pytest.mark.parametrize("text", [*TEXTS, "a sci-fi cat's castle, on a hill. fog"])
def test_texts_are_read_back_as_they_were(text: str) -> None:
    (tokens,) = encode_texts(TOKENIZER, [text], 64).tolist()
    assert read_tokens(TOKENIZER, tokens) == text


def test_rows_begin_end_and_are_padded() -> None:
    tokens = encode_texts(TOKENIZER, ["a cat", TEXTS[1]], 64)
    assert tokens[:, 0].tolist() == [START, START]
    assert tokens[1, -1] == END
    assert (tokens[0] == PAD).any()


def test_long_texts_are_cut_before_the_end() -> None:
    tokens = encode_texts(TOKENIZER, [" ".join(TEXTS)], 10)
    assert tokens.shape == (1, 10)
    assert tokens[0, -1] == END


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.integers(0, TOKENIZER.get_vocab_size() - 1), max_size=30))
def test_no_tokens_read_as_broken_text(tokens: list[int]) -> None:
    assert not is_broken(read_tokens(TOKENIZER, tokens))


@pytest.mark.parametrize("content", ["{", '{"version": "1.0"}', "\0"])
def test_a_damaged_tokenizer_is_one_clear_line(tmp_path: Path, content: str) -> None:
    (tmp_path / TOKENIZER_FILE).write_text(content)
    with pytest.raises(BadWeights, match="copy the whole model folder"):
        load_vocabulary(tmp_path)

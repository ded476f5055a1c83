"""The tokens of decoders, our own and published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_language_model import END, ROWS, WORDS, save_gpt2, spec
from tiny_writer import TEXTS, tiny_spec

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.models.folders import check_configs
from prompt_ensemble.models.text_decoder.decoder import DecoderSpec
from prompt_ensemble.models.text_decoder.language_model import NO_TOKEN
from prompt_ensemble.models.text_decoder.vocabulary import learn_vocabulary
from prompt_ensemble.models.text_decoder.word_pieces import (
    OwnPieces,
    PublishedPieces,
    WordPieces,
    load_word_pieces,
)
from prompt_ensemble.models.transformers_folders import load_tokenizer


@pytest.fixture(params=["own", "published"])
def words(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[WordPieces, DecoderSpec]:
    if request.param == "own":
        tokenizer = learn_vocabulary(TEXTS, 120)
        return OwnPieces(tokenizer), tiny_spec(tokenizer)
    return PublishedPieces(load_tokenizer(save_gpt2(tmp_path / "gpt2")), ROWS), spec()


def test_texts_are_read_back_as_they_were(words: tuple[WordPieces, DecoderSpec]) -> None:
    pieces, _ = words
    for text in TEXTS:
        (tokens,) = pieces.encode([text], 64).tolist()
        assert tokens[0] == pieces.start
        assert tokens[-1] == pieces.end
        assert pieces.read(tokens) == text


def test_saved_words_are_the_same(words: tuple[WordPieces, DecoderSpec], tmp_path: Path) -> None:
    pieces, described = words
    (tmp_path / "saved").mkdir()
    pieces.save(tmp_path / "saved")
    check_configs(tmp_path / "saved")
    again = load_word_pieces(tmp_path / "saved", described)
    assert again.encode(TEXTS, 30).tolist() == pieces.encode(TEXTS, 30).tolist()
    assert (again.start, again.end, again.never) == (pieces.start, pieces.end, pieces.never)


def test_a_language_model_is_padded_with_no_token_of_its_own(tmp_path: Path) -> None:
    pieces = PublishedPieces(load_tokenizer(save_gpt2(tmp_path)), ROWS)
    short, long = pieces.encode(["a", "a red wall"], 8).tolist()
    assert short.count(NO_TOKEN) == len(long) - 3
    assert short.count(pieces.end) == 2  # GPT-2 begins as it ends


def test_rows_without_a_word_are_never_written(tmp_path: Path) -> None:
    pieces = PublishedPieces(load_tokenizer(save_gpt2(tmp_path)), ROWS)
    assert pieces.never == tuple(range(len(WORDS), ROWS))


def test_a_tokenizer_without_an_end_is_refused(tmp_path: Path) -> None:
    save_gpt2(tmp_path)
    config = {"tokenizer_class": "GPT2Tokenizer", "eos_token": None, "bos_token": END}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(BadWeights, match="names no eos_token"):
        PublishedPieces(load_tokenizer(tmp_path), ROWS)

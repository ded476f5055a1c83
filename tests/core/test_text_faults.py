"""Texts with and without faults."""

import pytest

from prompt_ensemble.core.text_faults import is_broken, is_empty, is_repetitive, words

SOUND = [
    "a cat on a roof, oil painting, highly detailed, 8k",
    "portrait of a woman by Agnes Lawrence Pelton; intricate, elegant",
    "кот на крыше, café, 猫",
    "(masterpiece:1.2), best quality, the king's crown #art",
    "first line\nsecond line\twith a tab",
    "a cat and a dog and a bird",
    "a man in a red coat and a man in blue",
]


@pytest.mark.parametrize("text", SOUND)
def test_a_sound_text_has_no_fault(text):
    assert not (is_empty(text) or is_repetitive(text) or is_broken(text))


def test_words_are_lower_case_and_leave_marks_out():
    assert words("The King's CAT, 8k (猫)!") == ["the", "king's", "cat", "8k", "猫"]


@pytest.mark.parametrize("text", ["", "  \n", "...", ", , -"])
def test_a_text_without_a_word_is_empty(text):
    assert is_empty(text)
    assert not is_repetitive(text)


@pytest.mark.parametrize(
    "text",
    [
        "a cat cat",
        "Cat, cat on a roof",
        "a red car a red car",
        "on the roof of on the roof of",
        "one two three four and then one, two, three, four",
        "a man in a red coat, a man in a blue coat",
    ],
)
def test_what_is_said_twice_is_a_repetition(text):
    assert is_repetitive(text)


def test_five_words_in_a_row_twice_are_four_words_twice():
    assert is_repetitive("a b c d e a b c d e")


@pytest.mark.parametrize("text", ["", "cat", "a b c d", "a b c x a b c y"])
def test_words_that_only_come_again_are_none(text):
    assert not is_repetitive(text)


@pytest.mark.parametrize(
    "text",
    [
        "a c\ufffdt",
        "paint ##ing of a cat",
        "paint##ing",
        "a [UNK] on a roof",
        "a cat</s>",
        "<|endoftext|> a cat",
        "a \x00 cat",
        "a \x1b[0m cat",
        "half \ud83d of one",
    ],
)
def test_debris_of_a_tokenizer_breaks_a_text(text):
    assert is_broken(text)

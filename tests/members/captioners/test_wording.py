"""Wording is pure text: every switch does its one thing and nothing else."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt_ensemble.members.captioners.wording import Wording, drop_repeats, strip_opening, word


def test_without_switches_a_caption_stays_as_it_is():
    assert word("a picture of a cat cat", Wording()) == "a picture of a cat cat"


def test_suffix_is_added_as_it_stands():
    worded = word("a cat", Wording(suffix=", fine details, masterpiece"))
    assert worded == "a cat, fine details, masterpiece"


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a picture of a cat", "a cat"),
        ("A Photo of two dogs", "two dogs"),
        ("there is a cat on a mat", "a cat on a mat"),
        ("there are two cats", "two cats"),
        ("this is an image of a tree", "a tree"),
        ("a close up of a flower", "a flower"),
        ("a black and white photo of a man", "a man"),
        ("the image of a bird", "a bird"),
        ("a cat in a picture of a dog", "a cat in a picture of a dog"),
        ("a pictures of cats", "a pictures of cats"),
        ("a picture of ", "a picture of"),
    ],
)
def test_openings_are_stripped_only_at_the_front(caption, expected):
    assert strip_opening(caption) == expected


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a cat a cat a cat on a mat", "a cat on a mat"),
        ("a very very tall man", "a very tall man"),
        ("red and blue and red and blue", "red and blue and red and blue"),
        ("red, red, red sky", "red sky"),
        ("a man and a woman and a man and a woman", "a man and a woman and a man and a woman"),
        ("on a mat on a mat, outside", "on a mat, outside"),
        ("one two three one two three four", "one two three four"),
        ("a cat on a mat", "a cat on a mat"),
        ("", ""),
    ],
)
def test_repeated_phrases_are_said_once(caption, expected):
    assert drop_repeats(caption) == expected


def test_switches_combine_in_a_fixed_order():
    wording = Wording(strip_openings=True, drop_repeats=True, suffix=", art")
    assert word("a picture of a cat a cat", wording) == "a cat, art"


@given(st.text())
def test_stripping_never_leaves_nothing_of_something(caption):
    assert bool(strip_opening(caption)) == bool(caption.strip())


@given(st.lists(st.sampled_from(["a", "b", "c,", "C"]), max_size=12))
def test_dropping_repeats_leaves_no_word_twice_in_a_row(words):
    left = [w.strip(",").lower() for w in drop_repeats(" ".join(words)).split()]
    assert all(one != two for one, two in pairwise(left))

"""What counts as the same prompt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt_ensemble.data.normalising import first_of_each, normalise


@pytest.mark.parametrize(
    "other",
    ["A Cat , on a roof", "a cat,on a roof.", "  a   cat,, on a\troof ,", "ａ cat, on a roof"],
)
def test_case_spaces_commas_and_wide_letters_make_no_difference(other):
    assert normalise(other) == normalise("a cat, on a roof")


def test_words_make_a_difference():
    assert normalise("a cat on a roof") != normalise("a cat, on a roof")


@given(st.text())
def test_normalising_twice_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)


def test_the_first_of_equal_prompts_stands_for_all():
    assert first_of_each(["b", "a", "B ", "c", "a,"]) == [0, 1, 0, 3, 1]

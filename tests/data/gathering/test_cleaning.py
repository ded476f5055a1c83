"""Cleaning as a table of cases, and what holds for every text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt_ensemble.data.gathering.cleaning import LONGEST_PROMPT, clean_prompt

CASES = {
    "a cat": "a cat",
    "(masterpiece:1.2), ((best quality)), a [cat]": "masterpiece, best quality, a cat",
    "lucy \\(cyberpunk\\)": "lucy cyberpunk",
    "a (dog)1.3 and a photo++": "a dog and a photo",
    "a cat <lora:fur:0.8>, <hypernet:x:1>": "a cat",
    "embedding:EasyNegative.pt, a cat": "a cat",
    "a __color__ cat": "a cat",
    "a {red|blue} cat": "a red cat",
    "a {2$$red|blue} {0.5::dog|0.2::cat}": "a red dog",
    "{{{smile}}}, girl": "smile, girl",
    "[cat:dog:0.5] on [:a hat:10]": "cat on a hat",
    "[cat::0.5] sleeping": "cat sleeping",
    "a house::2 fruit::-0.5 tree": "a house, tree",
    "1.5::girl::, -1::hat::, smile": "girl, smile",
    "a cat, (dog:-1)": "a cat",
    "a cat --ar 16:9 --v 5 --style raw": "a cat",
    "a cat --no dogs, birds --ar 1:1": "a cat",
    "a cat —ar 3:2": "a cat",
    "a cat -s 50 -W 512 -C7.5 -A k_lms": "a cat",
    "a cat\nNegative prompt: ugly\nSteps: 20, Sampler: Euler a": "a cat",
    "a cat\nSteps: 20, Sampler: Euler a, Seed: 3": "a cat",
    "a cat BREAK a dog AND a bird": "a cat, a dog, a bird",
    "<b>a cat</b> &amp; **a dog**": "a cat & a dog",
    "[a cat](https://a.b/c) https://d.e/f.png": "a cat",
    "# A cat\n\n> on a roof": "A cat on a roof",
    '"a cat"': "a cat",
    "a  cat ,, ,dog , ": "a cat, dog",
    "a cat . And a dog !": "a cat. And a dog!",
    "a film negative: portrait": "a film negative: portrait",
    "photo-realistic, 50mm f/1.4": "photo-realistic, 50mm f/1.4",
    "Create a seed: growing": "Create a seed: growing",
    "__x__": "",
}
SLOW = (
    "(", "{", "* ", "--no ", "[a:", " ", "\n", "-", "<lora:", "&amp;", "1.1", "::", "\\", "__a",
    "~a", ".and(", "-1::", "Steps: 1,", "[](", "Negative prompt",
)  # fmt: skip


@pytest.mark.parametrize("typed", CASES)
def test_what_was_typed_becomes_words(typed):
    assert clean_prompt(typed) == CASES[typed]


@given(st.text(alphabet="ab1,.:;()[]{}<>|_-+*\\/\n &$~#\"'", max_size=40) | st.text(max_size=60))
def test_cleaning_what_is_clean_changes_nothing(text):
    cleaned = clean_prompt(text)
    assert clean_prompt(cleaned) == cleaned


@given(st.lists(st.sampled_from(list(CASES)), max_size=4))
def test_parts_together_are_clean_too(parts):
    cleaned = clean_prompt(", ".join(parts))
    assert clean_prompt(cleaned) == cleaned


@pytest.mark.parametrize("part", SLOW)
def test_no_text_takes_long(part):
    start = time.process_time()
    clean_prompt(part * (LONGEST_PROMPT // 2 // len(part)))
    assert time.process_time() - start < 1

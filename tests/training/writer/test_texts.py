"""Prompts made plain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt_ensemble.training.writer.texts import plain_prompt, plain_prompts, shorten, variants


@pytest.mark.parametrize(
    ("prompt", "plain"),
    [
        ("A cat, oil painting", "a cat, oil painting"),
        ("((best)), (fine quality:1.2), a girl --ar 3:2 --v 4", "best, fine quality, a girl"),
        ("a dog <lora:fur:0.8> on grass", "a dog on grass"),
        ("Close-up of bananas", "close-up of bananas"),
        ("a house ,, red  , brick", "a house, red, brick"),
        ("the boy 's dog", "the boy's dog"),
        ("pièce de résistance", "piece de resistance"),
        ("see https://example.com now please", "see now please"),
        ("猫の絵 绘画", ""),
        ("cat", ""),
        ("very very very very very very very red", ""),
    ],
)  # fmt: skip
def test_prompts_are_made_plain(prompt: str, plain: str) -> None:
    assert plain_prompt(prompt) == plain


@given(st.text(max_size=80))
def test_plain_prompts_are_left_as_they_are(text: str) -> None:
    plain = plain_prompt(text)
    assert plain_prompt(plain) == plain or not plain_prompt(plain)


def test_long_prompts_end_with_a_part() -> None:
    text = ", ".join(["one two three four five six"] * 9)
    assert shorten(text).endswith("six")
    assert len(shorten(text).split()) <= 40


def test_equal_prompts_come_once() -> None:
    assert plain_prompts(["A cat sits", "a cat  sits", "a dog sits"]) == [
        "a cat sits",
        "a dog sits",
    ]


def test_variants_keep_the_first_part_and_are_always_the_same() -> None:
    prompts = ["a cat, red, big, old", "a dog"] * 5
    made = list(variants(prompts, 2, seed=1))
    assert made == list(variants(prompts, 2, seed=1))
    assert made
    assert all(text.startswith("a cat") for text in made)

"""Prompts out of shapes and word lists."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.text_faults import is_sound
from prompt_ensemble.data.prompt_grammar import Grammar, grammar_prompts, load_grammar


def test_the_same_seed_says_the_same() -> None:
    grammar = load_grammar()
    one, again, other = (list(islice(grammar_prompts(grammar, seed), 50)) for seed in (3, 3, 4))
    assert one == again != other


def test_what_it_says_is_whole_and_varied() -> None:
    said = list(islice(grammar_prompts(load_grammar(), 0), 2000))
    assert len(set(said)) > 1900
    assert not any("{" in prompt for prompt in said)
    assert sum(map(is_sound, said)) > 1900


@pytest.mark.parametrize(
    ("noun", "expected"),
    [("owl", "an owl"), ("unicorn", "a unicorn"), ("cat", "a cat"), ("old man", "an old man")],
)
def test_the_article_fits_its_noun(noun: str, expected: str) -> None:
    grammar = Grammar(("a {noun}",), {"noun": (noun,)})
    assert next(grammar_prompts(grammar, 0)) == expected


def test_it_counts_its_sentences() -> None:
    grammar = Grammar(("{x} {y}", "{x}"), {"x": ("a", "b"), "y": ("c", "d", "e")})
    assert grammar.sentences == 8


def test_lists_of_ones_own_take_the_place_of_the_packages(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('shapes = ["{fruit} {place}"]\nfruit = ["apple"]\n')
    said = next(grammar_prompts(load_grammar(file), 0))
    assert said.startswith("apple ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('shapes = ["a {frut}"]\nfruit = ["apple"]', "no list is named 'frut'.*fruit"),
        ("fruit = []", "fruit must be a list of texts"),
        ('shapes = "a cat"', "shapes must be a list of texts"),
    ],
)
def test_a_faulty_grammar_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(BadConfig, match=message):
        load_grammar(file)

"""What files say about single tokens is read whole, or refused, and every search keeps to it."""

from itertools import product
from pathlib import Path

import pytest
import torch
from models.text_generation.test_sampling import Alternating
from transformers import GenerationConfig

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.models.text_generation.beam_search import search_captions
from prompt_ensemble.models.text_generation.generation import Generation
from prompt_ensemble.models.text_generation.sampling import sample, streams
from prompt_ensemble.models.text_generation.token_rules import TokenRules, read_token_rules

FOLDER = Path("folder")
RULES = TokenRules(more_ends=(4,), first=5, never=(6,), never_first=(7,))
END, START, WORDS, LENGTH = 3, 0, 9, 12


class Guessing(Alternating):
    """A decoder whose opinions hang on nothing but the last word and a seed."""

    def __init__(self, rows):
        generator = torch.Generator().manual_seed(rows)
        self.table = torch.randn(WORDS, WORDS, generator=generator) * 2

    def step(self, tokens):
        return self.table[tokens[:, -1]]

    def reorder(self, rows):
        pass


def searched(generation, rules=RULES, images=6):
    prompt = torch.full((images, 1), START)
    if not generation.do_sample:
        return search_captions(Guessing(1), prompt, END, generation, rules=rules)
    pixels = torch.arange(images, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 2, 2)
    opened = streams(pixels, generation)
    return sample(Guessing(1), prompt, END, generation, opened, rules)


WAYS = {
    "greedy": {},
    "current": {"num_beams": 3},
    "2023": {"num_beams": 3, "scoring": "2023"},
    "sampled": {"do_sample": True},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_every_search_keeps_to_the_rules(way):
    generation = Generation(max_new_tokens=LENGTH, min_new_tokens=3, **way)
    for (best,) in searched(generation):
        assert 3 <= len(best.tokens) <= LENGTH
        assert best.tokens[0] == 5
        assert best.tokens[1] != 7
        assert not {END, 4, 6} & set(best.tokens)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_every_search_says_less_twice_when_repeats_are_discouraged(way):
    def repeats(penalty):
        generation = Generation(max_new_tokens=LENGTH, repetition_penalty=penalty, **way)
        no_end = TokenRules(never=(END,))
        return sum(
            len(best.tokens) - len(set(best.tokens)) for (best,) in searched(generation, no_end)
        )

    assert repeats(20.0) < repeats(1.0)


def test_a_generation_config_is_read_whole():
    config = GenerationConfig(
        forced_bos_token_id=5,
        forced_eos_token_id=4,
        suppress_tokens=[6],
        begin_suppress_tokens=[7],
    )
    rules, end_is_free = read_token_rules(config, FOLDER, (END, 4))
    assert rules == RULES
    assert end_is_free


def test_a_plain_generation_config_says_nothing(caplog):
    assert read_token_rules(GenerationConfig(), FOLDER, (END,)) == (TokenRules(), False)
    assert not caplog.records


def test_a_forced_end_that_ends_nothing_is_refused():
    with pytest.raises(BadWeights, match=r"forced_eos_token_id=\[8\].*eos_token_id=\[3\]"):
        read_token_rules(GenerationConfig(forced_eos_token_id=8), FOLDER, (END,))


def test_wishes_that_are_not_followed_are_named(caplog):
    read_token_rules(GenerationConfig(bad_words_ids=[[6]]), FOLDER, (END,))
    assert "bad_words_ids, which is not followed here" in caplog.text


@pytest.mark.parametrize(("prompt", "image"), list(product((1, 2), (0, 4))))
def test_only_a_caption_without_prompt_has_its_first_word_forced(prompt, image):
    opening = TokenRules(first=5, image=(8,) * image).opening(prompt)
    assert opening == ((5,) if (prompt, image) == (1, 0) else ())

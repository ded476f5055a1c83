"""Words: their classes, what of a prompt they cover, and which tell two captioners apart."""

import math

import numpy as np
import pytest

from prompt_ensemble.core.intervals import Resampling
from prompt_ensemble.study.coverage import measure_coverage
from prompt_ensemble.study.word_classes import (
    Lexicon,
    content_classes,
    stem,
    usual_lexicon,
)
from prompt_ensemble.study.word_odds import word_odds

PROMPT = "two dogs in a castle, oil painting by greg rutkowski, art nouveau, highly detailed"
LEXICON = Lexicon(
    {
        ("oil", "painting"): "medium",
        ("greg", "rutkowski"): "artist",
        ("art", "nouveau"): "style",
    }
)


def test_each_word_has_its_class():
    assert usual_lexicon().classify(PROMPT) == {
        "dog": "subject", "castle": "subject", "oil": "medium", "painting": "medium",
        "greg": "artist", "rutkowski": "artist", "art": "style", "nouveau": "style",
        "highly": "quality", "detailed": "quality",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("word", "wanted"),
    [("dogs", "dog"), ("glass", "glass"), ("dog's", "dog"), ("gas", "gas"), ("bus", "bus")],
)
def test_plurals_are_cut_and_other_words_are_not(word, wanted):
    assert stem(word) == wanted


def test_an_image_is_of_every_class_that_its_prompts_name():
    assert content_classes(["a dog in a castle"]) == ("animals", "buildings and places")
    assert content_classes(["joy"]) == ("none of these",)


def test_coverage_is_counted_in_words_of_a_class():
    found = measure_coverage(["a dog and a cat, oil painting"], [(PROMPT,)], LEXICON)
    assert found.covered["subject"][0] == pytest.approx(1 / 2)
    assert found.covered["medium"][0] == pytest.approx(1)
    assert found.covered["artist"][0] == pytest.approx(0)
    assert found.hallucinated[0] == pytest.approx(1 / 2)
    assert found.missed[0] == pytest.approx(1 / 2)
    assert (found.most_hallucinated, found.most_missed) == ({"cat": 1}, {"castle": 1})


def test_what_no_prompt_names_cannot_be_covered():
    found = measure_coverage(["a dog"], [("a dog",)], LEXICON)
    assert np.isnan(found.covered["artist"][0])


FIRST = ["a dog runs"] * 30 + ["a cat sits"] * 10
SECOND = ["a dog sits"] * 12 + ["a cat sits"] * 28
EACH_ALONE = Resampling(np.arange(40))


def test_words_lean_to_the_one_that_says_them_more():
    found = {one.word: one for one in word_odds([FIRST], [SECOND], [], EACH_ALONE)}
    assert found["dog"].low > 0
    assert found["cat"].high < 0
    assert (found["runs"].first, found["runs"].second) == (30, 0)
    assert all(one.low <= one.odds <= one.high for one in found.values())


def test_the_odds_are_those_of_the_formula():
    background = ["dog cat", "dog runs", "sits"]
    (dog,) = [
        one for one in word_odds([FIRST], [SECOND], background, EACH_ALONE) if one.word == "dog"
    ]
    # Usual counts and one more each: dog 3, cat 2, runs 2, sits 2.
    alpha, all_words = 8 * 3 / 9, 8.0
    first = math.log((30 + alpha) / (80 + all_words - 30 - alpha))
    second = math.log((12 + alpha) / (80 + all_words - 12 - alpha))
    assert dog.odds == pytest.approx(first - second)


def test_a_word_said_once_tells_nothing():
    once = ["a dog runs fast", *FIRST[1:]]
    assert "fast" not in {one.word for one in word_odds([once], [SECOND], [], EACH_ALONE)}


def test_alike_captions_are_told_apart_by_no_word():
    assert word_odds([FIRST], [FIRST], [], EACH_ALONE) == ()


def test_what_is_said_of_one_group_alone_proves_nothing():
    groups = np.array([0] * 30 + list(range(1, 11)))
    assert "runs" not in {one.word for one in word_odds([FIRST], [SECOND], [], Resampling(groups))}

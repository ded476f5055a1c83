"""Generation options: the user's values over the model's, and nothing that makes no sense."""

import pytest

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.members.registry import predictor_class
from prompt_ensemble.models.text_generation.generation import Generation, GenerationOptions


def test_only_what_the_user_sets_overrides_what_is_published():
    published = Generation(num_beams=3, max_length=20, min_length=5)
    settled = published.overridden(GenerationOptions(num_beams=8, min_length=0))
    assert settled == Generation(num_beams=8, max_length=20, min_length=0)


def test_the_seed_kernels_values_are_reached_by_options():
    seed = predictor_class("blip").published.overridden(
        GenerationOptions(num_beams=8, min_length=5, max_length=32)
    )
    assert (seed.num_beams, seed.min_length, seed.max_length) == (8, 5, 32)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_beams": 0}, "at least one beam"),
        ({"num_beams": 2, "do_sample": True}, "sampling takes num_beams=1"),
        ({"num_beams": 2, "num_return_sequences": 3}, "no more captions"),
        ({"min_length": 20}, "min_length < max_length"),
        ({"no_repeat_ngram_size": -1}, "0 is off"),
        ({"max_new_tokens": 0}, "at least 1"),
        ({"min_new_tokens": -1}, "must not be negative"),
        ({"min_new_tokens": 5, "max_new_tokens": 5}, "min_new_tokens < max_new_tokens"),
        ({"repetition_penalty": 0.0}, "repetition_penalty must be above 0"),
        ({"early_stopping": "soon"}, "early_stopping is one of"),
        ({"temperature": 0.0}, "above 0"),
        ({"top_p": 0.0}, "top_p <= 1"),
    ],
)
def test_what_makes_no_sense_is_one_clear_error(values, message):
    with pytest.raises(BadConfig, match=message):
        Generation().overridden(GenerationOptions(**values))


def test_lengths_without_the_prompt_go_above_those_with_it():
    settled = Generation(max_length=20, min_length=5, max_new_tokens=6, min_new_tokens=2).settled(4)
    assert (settled.max_length, settled.min_length) == (10, 6)
    assert settled.settled(4) == settled


@pytest.mark.parametrize("name", ["max_length", "min_length"])
def test_a_length_that_the_user_sets_goes_above_both_that_are_saved(name):
    saved = Generation(max_length=20, max_new_tokens=30, min_length=1, min_new_tokens=3)
    settled = saved.overridden(GenerationOptions(**{name: 9})).settled(2)
    assert getattr(settled, name) == 9


def test_values_in_brief_leave_out_what_is_plain_and_what_does_not_count():
    brief = Generation(num_beams=1, max_length=20, max_new_tokens=7, length_penalty=0.5).brief()
    assert brief == "num_beams=1, max_new_tokens=7, length_penalty=0.5"

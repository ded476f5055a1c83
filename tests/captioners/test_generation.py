"""Generation options: the user's values over the model's, and nothing that makes no sense."""

import pytest

from prompt_ensemble.captioners.generation import Generation, GenerationOptions
from prompt_ensemble.errors import BadConfig
from prompt_ensemble.registry import predictor_class


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
        ({"temperature": 0.0}, "above 0"),
        ({"top_p": 0.0}, "top_p <= 1"),
    ],
)
def test_what_makes_no_sense_is_one_clear_error(values, message):
    with pytest.raises(BadConfig, match=message):
        Generation().overridden(GenerationOptions(**values))

"""The share of distinct phrases, and the interval around it."""

import numpy as np
import pytest

from prompt_ensemble.core.intervals import Resampling
from prompt_ensemble.evaluation.distinct_phrases import distinct_share

TEXTS = [["a", "cat", "on", "a", "roof"], ["a", "cat"], []]


def test_the_share_counts_all_texts_as_one():
    everything = Resampling.of_images(3)
    assert distinct_share(TEXTS, 1, everything).mean == pytest.approx(4 / 7)
    assert distinct_share(TEXTS, 2, everything).mean == pytest.approx(4 / 5)


def test_without_a_phrase_the_share_is_zero():
    score = distinct_share([["a"], []], 2, Resampling.of_images(2))
    assert (score.mean, score.low, score.high) == (0, 0, 0)


def test_one_group_has_no_interval():
    assert distinct_share(TEXTS, 1, Resampling(np.zeros(3))).low is None


def test_resamples_count_a_phrase_once_however_often_it_is_drawn():
    """Two texts with nothing in common: drawn together all is distinct, one twice half of it."""
    score = distinct_share([["a", "b"], ["c", "d"]], 1, Resampling.of_images(2))
    assert score.mean == pytest.approx(1)
    assert score.low == pytest.approx(0.75, abs=0.03)
    assert score.high == 1


def test_the_interval_holds_the_share_of_other_texts_of_the_same_kind():
    """Nine of ten times at least, where 19 of 20 are promised, over 60 sets of 60 texts."""
    random = np.random.default_rng(0)
    chances = 1 / np.arange(1, 2001)
    texts = random.choice(2000, (60, 60, 12), p=chances / chances.sum()).astype(str)
    found = [distinct_share(some.tolist(), 1, Resampling.of_images(60)) for some in texts]
    expected = np.mean([score.mean for score in found])
    assert np.mean([score.low <= expected <= score.high for score in found]) >= 0.9

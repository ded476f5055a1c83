"""Intervals over images and seeds."""

import numpy as np
import pytest

from prompt_ensemble.core.intervals import Resampling
from prompt_ensemble.study.seeds import FEWEST_GROUPS, difference, draw_seeds, summarise

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(60, 1))
RESAMPLING = Resampling(np.arange(60))


def test_the_mean_is_that_of_all_runs():
    columns = np.stack([np.full(60, 1.0), np.full(60, 4.0)], axis=1)
    found = summarise(columns, RESAMPLING)
    assert found.score.mean == pytest.approx(2.5)
    assert found.runs == pytest.approx((1.0, 4.0))
    assert found.between_seeds == pytest.approx(np.std([1, 4], ddof=1))


def test_seeds_that_differ_widen_the_interval():
    steady = np.repeat(IMAGES, 3, axis=1)
    other = np.zeros((60, 1))
    narrow = difference(steady, other, RESAMPLING)
    wide = difference(steady + np.array([-0.5, 0.0, 0.5]), other, RESAMPLING)
    assert wide.mean == pytest.approx(narrow.mean)
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)


def test_drawn_seeds_vary_as_a_mean_of_so_many_does():
    means = np.tile([0.0, 1.0, 2.0], (20_000, 1))
    drawn = draw_seeds(means, np.random.default_rng(0))
    assert drawn.std() == pytest.approx(1 / np.sqrt(3), rel=0.03)


def test_no_interval_leads_out_of_the_values():
    shares = np.stack([np.zeros(60), np.eye(60)[0]], axis=1)
    found = summarise(shares, RESAMPLING).score
    assert 0 <= found.low <= found.mean <= found.high <= 1


def test_one_captioner_against_itself_differs_by_nothing():
    found = difference(IMAGES, IMAGES, RESAMPLING)
    assert (found.low, found.mean, found.high) == pytest.approx((0, 0, 0), abs=1e-6)


def test_too_few_groups_have_no_interval():
    few = Resampling(np.arange(60) % (FEWEST_GROUPS - 1))
    assert difference(IMAGES, IMAGES - 1, few) is None
    assert summarise(IMAGES, few).score.low is None

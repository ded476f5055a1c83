"""Intervals resample groups, and say what chance would say."""

import numpy as np
import pytest

from prompt_ensemble.core.intervals import Resampling
from prompt_ensemble.core.score import bootstrap


def test_with_every_image_a_group_it_is_the_metric_s_own_interval():
    values = np.random.default_rng(0).normal(0.5, 0.1, 500)
    ours, plain = Resampling.of_images(500).interval(values), bootstrap(values)
    assert ours.mean == pytest.approx(plain.mean)
    assert (ours.low, ours.high) == pytest.approx((plain.low, plain.high), abs=1e-3)


def test_copies_of_an_image_make_nothing_surer():
    values = np.random.default_rng(0).normal(0.5, 0.1, 100)
    single = Resampling.of_images(100).interval(values)
    copied = Resampling(np.repeat(np.arange(100), 10)).interval(np.repeat(values, 10))
    assert copied.high - copied.low == pytest.approx(single.high - single.low, rel=0.05)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        found = Resampling.of_images(60).interval(random.normal(1.0, 1.0, 60))
        held += found.low <= 1.0 <= found.high
    assert 87 <= held <= 100


def test_a_clear_difference_is_beyond_noise_and_an_empty_one_is_not():
    random = np.random.default_rng(0)
    one = random.normal(0, 1, 300)
    resampling = Resampling.of_images(300)
    clear = resampling.difference(one + 0.05 + random.normal(0, 0.1, 300), one)
    assert clear.beyond_noise
    assert clear.p_value < 0.01
    chance = resampling.difference(one + random.normal(0, 1, 300), one)
    assert not chance.beyond_noise
    assert chance.p_value > 0.05


def test_columns_together_are_as_columns_alone():
    values = np.random.default_rng(0).random((80, 3))
    resampling = Resampling(np.arange(80) // 4)
    together, alone = resampling.intervals(values)[1], resampling.interval(values[:, 1])
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high), abs=1e-6)


def test_very_many_groups_take_fewer_resamples(monkeypatch):
    monkeypatch.setattr("prompt_ensemble.core.intervals.MOST_DRAWS", 300 * 1000)
    resampling = Resampling.of_images(1000)
    assert resampling.draws.shape == (300, 1000)
    assert np.all(resampling.draws.sum(axis=1) == 1000)


def test_images_of_one_prompt_have_no_interval():
    found = Resampling(np.zeros(3, int)).interval(np.array([0.1, 0.2, 0.6]))
    assert found.mean == pytest.approx(0.3)
    assert found.low is None
    assert "3 images of one prompt, too few for an interval" in str(found)

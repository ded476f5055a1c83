"""Intervals resample groups, and say what chance would say."""

import numpy as np
import pytest

from prompt_ensemble.core.intervals import ENDS, RESAMPLES, Resampling, mean_of_strata


def test_the_interval_covers_the_mean_and_narrows_with_more_images():
    few, many = (np.random.default_rng(0).normal(0.5, 0.1, n) for n in (20, 2000))
    wide, narrow = (Resampling.of_images(len(rows)).interval(rows) for rows in (few, many))
    assert wide.low < wide.mean < wide.high
    assert narrow.high - narrow.low < (wide.high - wide.low) / 5


def test_means_are_those_of_rows_drawn_one_by_one():
    values = np.random.default_rng(0).normal(0.5, 0.1, 90)
    random = np.random.default_rng(7)
    by_hand = [values[random.integers(0, 90, 90)].mean() for _ in range(RESAMPLES)]
    score = Resampling.of_images(90, seed=7).interval(values)
    assert (score.low, score.high) == pytest.approx(np.quantile(by_hand, ENDS), abs=1e-7)


def test_strata_count_alike_and_are_resampled_one_after_another():
    strata = [np.random.default_rng(n).normal(n, 0.1, 50 * n) for n in (1, 2, 3)]
    random = np.random.default_rng(0)
    by_hand = [
        np.mean([rows[random.integers(0, len(rows), len(rows))].mean() for rows in strata])
        for _ in range(RESAMPLES)
    ]
    score = mean_of_strata(strata)
    assert score.mean == pytest.approx(np.mean([rows.mean() for rows in strata]))
    assert (score.low, score.high) == pytest.approx(np.quantile(by_hand, ENDS), abs=1e-6)


def test_copies_of_an_image_make_nothing_surer():
    values = np.random.default_rng(0).normal(0.5, 0.1, 100)
    single = Resampling.of_images(100).interval(values)
    copied = Resampling(np.repeat(np.arange(100), 10)).interval(np.repeat(values, 10))
    assert copied.high - copied.low == pytest.approx(single.high - single.low, rel=0.05)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        score = Resampling.of_images(60).interval(random.normal(1.0, 1.0, 60))
        held += score.low <= 1.0 <= score.high
    assert 87 <= held <= 100


def test_a_clear_difference_is_beyond_noise_and_an_empty_one_is_not():
    random = np.random.default_rng(0)
    scores = random.normal(0, 1, 300)
    resampling = Resampling.of_images(300)
    clear = resampling.difference(scores + 0.05 + random.normal(0, 0.1, 300), scores)
    assert clear.beyond_noise
    assert clear.p_value < 0.01
    chance = resampling.difference(scores + random.normal(0, 1, 300), scores)
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
    score = Resampling(np.zeros(3, int)).interval(np.array([0.1, 0.2, 0.6]))
    assert score.mean == pytest.approx(0.3)
    assert score.low is None
    assert "3 images of one prompt, too few for an interval" in str(score)


def test_one_image_has_no_interval():
    score = Resampling.of_images(1).interval(np.array([0.4]))
    assert score.low is None and score.high is None
    assert str(score) == "0.4000 (1 image, too few for an interval)"

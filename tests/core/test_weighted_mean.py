"""Nearer rows weigh more."""

import numpy as np
import pytest

from prompt_ensemble.core.weighted_mean import inverse_power_shares, weighted_mean


def test_nearer_neighbours_weigh_more_and_a_perfect_one_nearly_all():
    shares = inverse_power_shares(np.array([[1.0, 0.5, 0.4]]), 6, epsilon=1e-6)
    assert shares[0, 0] > 0.99
    assert shares[0, 1] / shares[0, 2] == pytest.approx((0.6**6 + 1e-6) / (0.5**6 + 1e-6), rel=1e-4)


def test_the_mean_has_length_one():
    mean = weighted_mean(np.array([[0.5, 0.5]], "f"), np.eye(2, dtype="f")[None])
    np.testing.assert_allclose(mean, [[0.5**0.5] * 2], rtol=1e-6)


def test_the_nearest_distance_caps_a_share():
    shares = inverse_power_shares(np.array([[1.0, 0.9, 0.5]]), 4, nearest=0.1)
    assert shares[0] == pytest.approx(np.array([625, 625, 1]) / 1251)

"""The undamped target."""

from __future__ import annotations

import numpy as np
from tiny_writer import rows

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.words.target import undamped


def test_what_was_damped_towards_the_mean_points_away_from_it_again() -> None:
    true, mean = rows(5), rows(1, seed=9)[0]
    damped = unit_rows(0.3 * true + 0.7 * mean)
    restored = undamped(damped, mean, 0.8)
    before = np.einsum("ij,ij->i", damped, true)
    assert (np.einsum("ij,ij->i", restored, true) > before).all()


def test_no_share_changes_nothing() -> None:
    true = rows(5)
    assert np.allclose(undamped(true, rows(1, seed=9)[0], 0.0), true, atol=1e-6)

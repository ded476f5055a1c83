"""How predictions err."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_writer import rows

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.models.error_model import ErrorModel

TRUE = rows(400, seed=1)
PREDICTED = unit_rows(0.4 * TRUE + 0.6 * rows(400, seed=2) + rows(1, seed=3))
MODEL = ErrorModel.fit(PREDICTED, TRUE, rows(1000, seed=4))


def test_a_prediction_is_likeliest_from_its_own_truth() -> None:
    keys, norms = MODEL.keys(TRUE)
    likely = (PREDICTED - MODEL.centre) @ keys.T - norms
    ranks = (likely > np.diag(likely)[:, None]).sum(axis=1)
    assert np.median(ranks) < 20


def test_slopes_tell_how_much_is_left_of_a_difference() -> None:
    length = np.linalg.norm(0.4 * TRUE + 0.6 * rows(400, seed=2) + rows(1, seed=3), axis=1).mean()
    assert MODEL.slopes.mean() == pytest.approx(0.4 / length, rel=0.2)


def test_it_survives_its_file(tmp_path: Path) -> None:
    MODEL.save(tmp_path)
    loaded = ErrorModel.load(tmp_path)
    assert np.allclose(loaded.directions, MODEL.directions, atol=1e-3)
    assert np.array_equal(loaded.variances, MODEL.variances)

"""Errors as regressors make them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_writer import rows

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.training.writer.disturbance import Disturbance

TRUE = unit_rows(rows(300) + 2 * rows(1, seed=5))
PREDICTED = unit_rows(TRUE.mean(0) + 0.5 * (TRUE - TRUE.mean(0)) + 0.4 * rows(300, seed=8))


def disturbed(least: float, most: float, seed: int = 0) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    found = Disturbance.of(PREDICTED, TRUE).disturb(torch.from_numpy(TRUE), generator, least, most)
    return found.numpy()


def mean_cosine(rows_: np.ndarray) -> float:
    return float(np.einsum("ij,ij->i", rows_, TRUE).mean())


def test_disturbed_rows_err_as_much_as_predictions_did() -> None:
    assert mean_cosine(disturbed(1.0, 1.0)) == pytest.approx(mean_cosine(PREDICTED), abs=0.02)


def test_smaller_errors_are_nearer() -> None:
    assert mean_cosine(disturbed(0.2, 0.3)) > mean_cosine(disturbed(1.0, 1.0))


def test_the_same_seed_errs_the_same_way() -> None:
    assert np.array_equal(disturbed(0.3, 1.1), disturbed(0.3, 1.1))
    assert not np.array_equal(disturbed(0.3, 1.1), disturbed(0.3, 1.1, seed=1))


def test_with_its_own_error_a_truth_becomes_the_prediction() -> None:
    model = Disturbance.of(PREDICTED, TRUE)
    kept = ((torch.from_numpy(TRUE) - model.mean) @ model.directions * model.slopes) @ (
        model.directions.T
    )
    assert np.allclose(model.centre + kept + model.errors, PREDICTED, atol=1e-4)

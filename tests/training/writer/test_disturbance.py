"""Errors as regressors make them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_writer import rows

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.models.error_model import ErrorModel
from prompt_ensemble.training.writer.disturbance import Disturbance

TRUE = unit_rows(rows(300) + 2 * rows(1, seed=5))
PREDICTED = unit_rows(TRUE.mean(0) + 0.5 * (TRUE - TRUE.mean(0)) + 0.4 * rows(300, seed=8))


def disturbed(least: float, most: float, seed: int = 0) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    model = Disturbance.of(ErrorModel.fit(PREDICTED, TRUE, TRUE), torch.device("cpu"))
    found = model.disturb(torch.from_numpy(TRUE), generator, least, most)
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


def test_the_errors_that_were_made_are_not_made_again() -> None:
    """A writer that had met them would take them out of the predictions it is judged on."""
    model = ErrorModel.fit(PREDICTED, TRUE, TRUE)
    along = (TRUE - model.mean) @ model.directions * model.slopes
    made = PREDICTED - model.centre - along @ model.directions.T
    mean = torch.from_numpy(model.mean).expand(200, -1)  # of which nothing but the centre is kept
    generator = torch.Generator().manual_seed(0)
    drawn = Disturbance.of(model, torch.device("cpu")).disturb(mean, generator, 1.0, 1.0).numpy()
    centre = unit_rows(model.centre[None])
    errors = [unit_rows(rows_ - rows_ @ centre.T * centre) for rows_ in (drawn, made)]
    assert np.abs(errors[0] @ errors[1].T).max() < 0.4

"""The vote of known prompts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_writer import rows

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.core.errors import BadConfig, BadWeights
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.members.contract import Batch
from prompt_ensemble.members.votes.vote_predictor import VoteOptions, VotePredictor
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.error_model import ERRORS_FILE, ErrorModel
from prompt_ensemble.models.packed_bank import BANK_FILE, PackedBank
from prompt_ensemble.models.weights import WeightRoots

CPU = Placement(torch.device("cpu"), torch.float32)
KNOWN = rows(500, seed=1)
TRUE = rows(400, seed=4)
PREDICTED = unit_rows(0.5 * TRUE + 0.5 * rows(400, seed=6))


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    folder = tmp_path / "bank"
    PackedBank.of(KNOWN).save(folder)
    ErrorModel.fit(PREDICTED, TRUE, KNOWN).save(folder)
    return folder


def vote(bank: Path, asked: np.ndarray, **options: object) -> np.ndarray:
    settings = VoteOptions(**{"vectors_from": ("a",), **options})  # type: ignore[arg-type]
    member = VotePredictor(str(bank), settings, WeightRoots(()))
    ids = tuple(map(str, range(len(asked))))
    needed = {name: Outputs.of_vectors(ids, asked) for name in settings.vectors_from}
    return unit_rows(member.open(CPU).run(Batch(ids, needed=needed)).vectors)


def test_a_vote_among_one_is_a_known_prompt(bank: Path) -> None:
    known = PackedBank.load(bank).rows()
    cosines = vote(bank, KNOWN[:5], nearest=1) @ known.T
    assert np.allclose(cosines.max(axis=1), 1, atol=1e-4)


def test_a_vote_is_the_weighted_mean_of_the_formula(bank: Path) -> None:
    asked, known, errors = rows(4, seed=2), PackedBank.load(bank).rows(), ErrorModel.load(bank)
    along = ((known - errors.mean) @ errors.directions) * errors.slopes
    wanted = (asked - errors.centre) @ errors.directions
    distances = np.square(wanted[:, None] - along[None]) @ (1 / errors.variances)
    weights = np.exp(-0.1 * (distances - distances.min(axis=1, keepdims=True)))
    assert np.allclose(vote(bank, asked), unit_rows(weights @ known), atol=2e-3)


def test_a_vote_brings_predictions_nearer_to_the_truth(bank: Path) -> None:
    PackedBank.of(TRUE).save(bank)
    found = vote(bank, PREDICTED)
    before, after = (np.einsum("ij,ij->i", given, TRUE).mean() for given in (PREDICTED, found))
    assert after > before


def test_members_are_blended_by_their_shares(bank: Path) -> None:
    asked = rows(4, seed=2)
    settings = VoteOptions(vectors_from=("a", "b"), shares=(1.0, 0.0))
    member = VotePredictor(str(bank), settings, WeightRoots(()))
    ids = ("0", "1", "2", "3")
    needed = {"a": Outputs.of_vectors(ids, asked), "b": Outputs.of_vectors(ids, rows(4, seed=3))}
    found = member.open(CPU).run(Batch(ids, needed=needed)).vectors
    assert np.allclose(unit_rows(found), vote(bank, asked), atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"vectors_from": ()},
        {"shares": (0.5, 0.5)},
        {"nearest": 0},
        {"trust": 0.0},
    ],
)
def test_options_that_make_no_sense_are_refused(bank: Path, options: dict[str, object]) -> None:
    with pytest.raises(BadConfig, match="vote"):
        vote(bank, KNOWN[:1], **options)


def test_a_damaged_bank_is_found_before_any_image(bank: Path) -> None:
    (bank / BANK_FILE).write_bytes(b"nothing")
    with pytest.raises(BadWeights, match="no bank of vectors"):
        VotePredictor(str(bank), VoteOptions(vectors_from=("a",)), WeightRoots(())).check()


def test_a_damaged_model_of_errors_is_found_before_any_image(bank: Path) -> None:
    (bank / ERRORS_FILE).write_bytes(b"nothing")
    with pytest.raises(BadWeights, match="no model of errors"):
        VotePredictor(str(bank), VoteOptions(vectors_from=("a",)), WeightRoots(())).check()

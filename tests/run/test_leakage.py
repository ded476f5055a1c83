"""Leaks are found by likeness of prompts and by folds."""

import json
from pathlib import Path

import numpy as np

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings, unit_rows
from prompt_ensemble.data.splits import Split
from prompt_ensemble.run.leakage import (
    doubt,
    near_training,
    trained_on,
    training_digests,
    unchecked,
)


def test_a_prompt_near_a_training_prompt_is_a_leak_and_a_distant_one_is_none():
    random = np.random.default_rng(0)
    vectors = unit_rows(random.normal(size=(20, EMBEDDING_WIDTH)))
    training = unit_rows(vectors[3:5] + 0.5 * random.normal(size=(2, EMBEDDING_WIDTH)) / 20)
    truth = Embeddings(tuple(f"i{n:02}" for n in range(20)), vectors)
    assert near_training(truth, training) == ("i03", "i04")


def test_images_of_other_folds_than_the_held_out_one_are_leaks():
    split = Split(("a", "b", "c"), np.array([0, 1, 2]), np.array([0, 1, 0]))
    truth = Embeddings.of(["a", "b", "z"], np.ones((3, EMBEDDING_WIDTH)))
    assert trained_on(truth, split, 0) == ("b",)


def test_a_leak_is_loud_and_its_absence_is_said():
    assert doubt("the bank", ("i1", "i2"), 9).startswith("LEAK: 2 of 9")
    assert doubt("the bank", (), 9).startswith("none of the 9")


def test_runs_say_what_their_members_learnt_from(tmp_path):
    members = {
        "lite": {"identity": {"predictor": {"trained_on": "abc"}}},
        "phrases": {"identity": {}},
    }
    (tmp_path / "run.json").write_text(json.dumps({"members": members}))
    assert training_digests([tmp_path]) == {"lite": "abc"}


def test_a_training_set_that_was_not_compared_is_named_by_its_members():
    digests = {"lite": "abc", "vit": "abc", "other": "def"}
    (sentence,) = unchecked(digests, {"def": Path("other.jsonl")})
    assert sentence.startswith("NOT CHECKED: lite and vit")

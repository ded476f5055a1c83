"""Splits keep groups whole, and split files notice when they are changed."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt_ensemble.core.errors import BadConfig, MismatchedIds
from prompt_ensemble.data.splits import Split, hold_out, k_folds, leave_one_source_out

some_groups = st.lists(st.integers(0, 9), min_size=30, max_size=80).map(np.array)


@given(groups=some_groups, seed=st.integers(0, 9))
def test_folds_never_cut_a_group_and_are_balanced(groups, seed):
    sizes = np.unique(groups, return_counts=True)[1]
    if len(sizes) < 3:
        return
    folds = k_folds(groups, 3, seed)
    assert all(len(set(folds[groups == group])) == 1 for group in groups)
    filled = np.bincount(folds, minlength=3)
    assert filled.max() - filled.min() <= sizes.max()


def test_more_folds_than_groups_is_an_error():
    with pytest.raises(BadConfig, match="2 groups of prompts cannot be put into 3 folds"):
        k_folds(np.array([0, 0, 1, 1]), 3)


@given(groups=some_groups, seed=st.integers(0, 9))
def test_what_is_held_out_is_whole_groups_of_about_the_share(groups, seed):
    mask = hold_out(groups, 0.2, seed)
    assert not set(groups[mask]) & set(groups[~mask])
    largest = np.unique(groups, return_counts=True)[1].max()
    assert 0.2 * len(groups) <= mask.sum() < 0.2 * len(groups) + largest


def test_a_source_is_judged_by_what_shares_no_group_with_it():
    groups = np.array([0, 0, 1, 2, 3])
    sources = ["a", "b", "a", "b", "b"]
    found = {name: (fit, judged) for name, fit, judged in leave_one_source_out(groups, sources)}
    fit, judged = found["a"]
    assert judged.tolist() == [True, False, True, False, False]
    assert fit.tolist() == [False, False, False, True, True]


def split() -> Split:
    return Split(("a", "b", "c"), np.array([0, 0, 1]), np.array([1, 1, 0]))


def test_a_split_comes_back_as_it_was_written(tmp_path):
    split().save(tmp_path / "split.json")
    again = Split.load(tmp_path / "split.json")
    assert again.image_ids == ("a", "b", "c")
    assert again.take(["c", "a"]).folds.tolist() == [0, 1]
    assert again.digest == split().digest == again.take(["c", "b", "a"]).digest


def test_a_changed_split_is_an_error(tmp_path):
    split().save(tmp_path / "split.json")
    record = json.loads((tmp_path / "split.json").read_text())
    record["images"]["c"] = [1, 1]
    (tmp_path / "split.json").write_text(json.dumps(record))
    with pytest.raises(BadConfig, match="changed after it was written"):
        Split.load(tmp_path / "split.json")


def test_a_split_that_cuts_a_group_is_an_error():
    with pytest.raises(BadConfig, match="1 groups of near-duplicate prompts lie in more than one"):
        Split(("a", "b"), np.array([0, 0]), np.array([0, 1]))


def test_images_that_were_never_split_are_an_error():
    with pytest.raises(MismatchedIds, match="first 'd'"):
        split().take(["a", "d"])


@pytest.mark.parametrize("text", ["", "[]", '{"images": {"a": 1}}', '{"images": {"a": [0, 0]}}'])
def test_anything_else_is_no_split_file(tmp_path, text):
    (tmp_path / "split.json").write_text(text)
    with pytest.raises(BadConfig, match="cannot be read as a split file"):
        Split.load(tmp_path / "split.json")

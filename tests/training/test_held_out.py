"""Which pairs a regressor is judged on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from training_samples import encode, write_pairs

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.training.held_out import HeldOut, refuse_leaks, split_rows


def test_held_out_source_is_not_trained_on(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "data")
    training, judged = split_rows(pairs, encode(pairs.prompts), HeldOut(sources=("left",)))
    assert set(pairs.sources[training]) == {"right"}
    assert set(pairs.sources[judged]) == {"left"}


def test_prompts_near_to_held_out_ones_are_not_trained_on(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "data")
    targets = encode(pairs.prompts)
    blue = np.array([prompt == "a blue wall" for prompt in pairs.prompts])
    targets[blue] = targets[0]  # as if it meant the same as a prompt of the other source
    training, _ = split_rows(pairs, targets, HeldOut(sources=("left",)))
    assert not blue[training].any()


def test_unknown_source_is_named(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "data")
    with pytest.raises(BadConfig, match="did you mean 'left'"):
        split_rows(pairs, encode(pairs.prompts), HeldOut(sources=("lefd",)))


def test_shared_groups_are_refused() -> None:
    groups = np.array([0, 0, 1, 2])
    refuse_leaks(groups, np.array([0, 1]), np.array([2, 3]))
    with pytest.raises(BadConfig, match="shares 1 groups"):
        refuse_leaks(groups, np.array([0, 2]), np.array([1, 3]))

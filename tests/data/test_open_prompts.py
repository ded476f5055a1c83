"""What a file of prompts tells about directions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from training_samples import encode

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.data.open_prompts import (
    MOST_PROMPTS,
    damping_of,
    open_prompt_rows,
    read_open_prompts,
)


def test_directions_are_shortened_by_their_variance() -> None:
    spread = np.array([4.0, 2.0, 1.0, 0.0])
    rows = np.random.default_rng(0).normal(size=(4000, 4))
    rows -= rows.mean(axis=0)
    rows = np.linalg.qr(rows)[0] * spread
    lengths = np.diag([1.0, 0.5, 0.25, 0.1])  # the last by the least variance that counts
    assert np.allclose(damping_of(rows, 0.5), lengths, atol=1e-6)
    assert np.allclose(damping_of(rows, 0.0), np.eye(4))


def test_a_long_file_is_taken_evenly_and_blank_lines_are_not(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("\n\n".join(str(number) for number in range(3 * MOST_PROMPTS)))
    read = [int(line) for line in read_open_prompts(file)]
    assert len(set(read)) == MOST_PROMPTS
    assert (read[0], read[-1]) == (0, 3 * MOST_PROMPTS - 1)
    assert max(np.diff(read)) <= 4


def test_prompts_are_encoded_once_and_again_when_they_change(tmp_path: Path) -> None:
    file, calls = tmp_path / "prompts.txt", []

    def noting(texts: Sequence[str]) -> np.ndarray:
        calls.append(len(texts))
        return encode(texts)

    for text in ("a\nb\nc\n", "a\nb\nc\n", "a\nb\nc\nd\n"):
        file.write_text(text)
        rows = open_prompt_rows(file, noting, tmp_path / "cache")
    assert calls == [3, 4]
    assert np.array_equal(rows, encode(["a", "b", "c", "d"]))


def test_a_file_without_prompts_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(BadConfig, match="has 0 lines"):
        read_open_prompts(tmp_path / "empty.txt")
    with pytest.raises(BadConfig, match="cannot be read"):
        read_open_prompts(tmp_path / "absent.txt")

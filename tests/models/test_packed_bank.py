"""A bank of vectors in four bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_writer import rows

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.models.packed_bank import BANK_FILE, PackedBank


def test_a_bank_survives_its_file(tmp_path: Path) -> None:
    bank = PackedBank.of(rows(20))
    bank.save(tmp_path)
    loaded = PackedBank.load(tmp_path)
    assert np.array_equal(loaded.rows(), bank.rows())


def test_its_rows_have_length_one() -> None:
    lengths = np.linalg.norm(PackedBank.of(rows(20)).rows(), axis=1)
    assert np.allclose(lengths, 1, atol=1e-5)


def test_a_damaged_bank_is_one_clear_line(tmp_path: Path) -> None:
    PackedBank.of(rows(20)).save(tmp_path)
    whole = (tmp_path / BANK_FILE).read_bytes()
    (tmp_path / BANK_FILE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadWeights, match=r"bank\.safetensors is no bank of vectors .* copy"):
        PackedBank.load(tmp_path)

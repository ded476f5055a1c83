"""Matrices in eight and four bits."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_writer import rows

from prompt_ensemble.models.packed_rows import (
    pack_eight,
    pack_four,
    pack_state,
    unpack_four,
    unpack_state,
)


@given(st.integers(0, 50), st.floats(1e-3, 1e3))
def test_eight_bits_are_off_by_half_a_step_at_most(seed: int, size: float) -> None:
    matrix = np.random.default_rng(seed).normal(size=(5, 8)).astype(np.float32) * size
    codes, scales = pack_eight(matrix)
    steps = scales.astype(np.float32)[:, None]
    assert (np.abs(codes * steps - matrix) <= 0.51 * steps + 1e-3 * np.abs(matrix)).all()


def test_four_bits_keep_directions() -> None:
    vectors = rows(200)
    codes, scales = pack_four(vectors)
    restored = unpack_four(codes, scales)
    cosines = np.einsum("ij,ij->i", restored, vectors) / np.linalg.norm(restored, axis=1)
    assert codes.nbytes == vectors.size // 2
    assert cosines.min() > 0.98


def test_four_bits_of_zeros_are_zeros() -> None:
    assert not unpack_four(*pack_four(np.zeros((2, 4), np.float32))).any()


def test_a_state_keeps_names_shapes_and_small_tensors() -> None:
    torch.manual_seed(0)
    state = {"w": torch.randn(64, 128), "b": torch.randn(64), "n": torch.tensor(3)}
    packed = pack_state(state)
    restored = unpack_state(packed)
    assert packed["w.codes"].dtype == torch.int8
    assert {name: tensor.shape for name, tensor in restored.items()} == {
        name: tensor.shape for name, tensor in state.items()
    }
    assert torch.allclose(restored["w"], state["w"], atol=0.02)
    assert torch.allclose(restored["b"], state["b"], atol=0.01)
    assert restored["n"] == 3

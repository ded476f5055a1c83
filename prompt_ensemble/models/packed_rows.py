"""Matrices packed into eight or four bits a number, each row with a scale of its own.

A number is ``code * scale`` with codes from -127 to 127, or -7 to 7; two four-bit codes share a
byte. Against float16 that halves or quarters what travels with the package.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

_SMALLEST_MATRIX = 4096
"""Numbers; what is smaller is kept in float16."""
_CODES, _SCALES = ".codes", ".scales"


def pack_eight(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes ``(N, W)`` int8 and scales ``(N,)`` float16 of a matrix."""
    return _codes(matrix, 127)


def pack_four(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes ``(N, W/2)`` uint8, two in a byte, and scales ``(N,)`` float16; W is even.

    Each row's scale is the one of a few that loses least: cutting a row's few largest numbers
    often costs less than a coarser step for all of them.
    """
    largest = np.abs(matrix).max(axis=1)
    best = np.full(len(matrix), np.inf)
    codes = np.zeros(matrix.shape, np.int8)
    scales = np.zeros(len(matrix), np.float16)
    for share in np.linspace(0.5, 1.0, 11):
        tried = np.maximum(largest * share / 7, 1e-4).astype(np.float16)
        step = tried.astype(np.float32)[:, None]
        rounded = np.clip(np.rint(matrix / step), -7, 7)
        error = np.square(rounded * step - matrix).sum(axis=1)
        better = error < best
        codes[better], scales[better], best[better] = rounded[better], tried[better], error[better]
    shifted = (codes + 8).astype(np.uint8)
    return shifted[:, 0::2] | (shifted[:, 1::2] << 4), scales


def unpack_four(codes: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """The ``(N, W)`` float32 matrix of four-bit codes."""
    rows = np.empty((len(codes), 2 * codes.shape[1]), np.float32)
    rows[:, 0::2] = codes & 15
    rows[:, 1::2] = codes >> 4
    rows -= 8
    rows *= scales.astype(np.float32)[:, None]
    return rows


def pack_state(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A network's tensors for its file: large matrices in eight bits, the rest in float16."""
    packed: dict[str, torch.Tensor] = {}
    for name, tensor in sorted(state.items()):
        tensor = tensor.detach().cpu()
        if tensor.ndim == 2 and tensor.numel() >= _SMALLEST_MATRIX:
            codes, scales = pack_eight(tensor.float().numpy())
            packed[name + _CODES] = torch.from_numpy(codes)
            packed[name + _SCALES] = torch.from_numpy(scales)
        else:
            packed[name] = tensor.half() if tensor.is_floating_point() else tensor
    return packed


def unpack_state(packed: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors that were packed, in float32."""
    state: dict[str, torch.Tensor] = {}
    for name, tensor in packed.items():
        if name.endswith(_CODES):
            whole = name.removesuffix(_CODES)
            state[whole] = tensor.float() * packed[whole + _SCALES].float()[:, None]
        elif not name.endswith(_SCALES):
            state[name] = tensor.float() if tensor.is_floating_point() else tensor
    return state


def _codes(matrix: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes from ``-most`` to ``most``, and the scale of each row."""
    scales = np.maximum(np.abs(matrix).max(axis=1) / most, 1e-7).astype(np.float16)
    codes = np.rint(matrix / scales.astype(np.float32)[:, None])
    return np.clip(codes, -most, most).astype(np.int8), scales

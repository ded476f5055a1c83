"""64 bits that stay nearly the same when a picture is scaled, compressed or a little recoloured.

The lowest frequencies of the picture in grey, by a cosine transform, each above or below their
median. Half of the bits are set whatever the picture, so that the bits of a large set are balanced,
and rows that share some of them can be looked up.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image

BITS = 64
_SIDE = 32
_LOW = 8
_WEIGHTS = np.uint64(1) << np.arange(BITS, dtype=np.uint64)


def perceptual_hash(picture: Image.Image) -> int:
    """The bits of a picture as a number."""
    small = picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    transform = _cosines()
    low = transform @ np.asarray(small, np.float64) @ transform.T
    # The first is the mean brightness; rounding keeps bits of flat pictures from being noise.
    frequencies = np.round(low.reshape(-1), 6)
    frequencies[0] = 0
    bits = frequencies > np.median(frequencies)
    return int(_WEIGHTS[bits].sum(dtype=np.uint64))


@cache
def _cosines() -> np.ndarray:
    """``(8, 32)``: the first rows of the cosine transform."""
    frequency, place = np.arange(_LOW)[:, None], np.arange(_SIDE)[None]
    rows: np.ndarray = np.cos(np.pi * frequency * (2 * place + 1) / (2 * _SIDE))
    return rows

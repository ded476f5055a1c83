"""Small pictures for pages that need no other file."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True)
class Size:
    """How large a small picture may be, in pixels, and how finely JPEG keeps it."""

    side: int = 160
    quality: int = 80


_SIZES = {
    60: Size(384, 80),
    300: Size(256, 75),
    1_200: Size(160, 70),
    2_500: Size(128, 60),
    5_000: Size(96, 50),
}
"""The size for so many pictures on one page: they take 14 MB at most, as 512-pixel art does."""
MOST_ON_A_PAGE = max(_SIZES)


def size_for(count: int) -> Size:
    """The size at which so many pictures fit one page."""
    return next((size for most, size in _SIZES.items() if count <= most), _SIZES[MOST_ON_A_PAGE])


def data_address(picture: Image.Image, size: Size = Size()) -> str:
    """A small JPEG of a picture, as an address that holds its bytes."""
    small = picture.copy()
    small.thumbnail((size.side, size.side))
    content = io.BytesIO()
    small.save(content, "JPEG", quality=size.quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()

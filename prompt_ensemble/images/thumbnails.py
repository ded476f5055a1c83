"""Small pictures for pages that need no other file."""

from __future__ import annotations

import base64
import io

from PIL import Image

LONGEST_SIDE = 160


def data_address(picture: Image.Image) -> str:
    """A small JPEG of a picture, as an address that holds its bytes."""
    small = picture.copy()
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    content = io.BytesIO()
    small.save(content, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()

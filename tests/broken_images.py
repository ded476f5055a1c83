"""A dozen kinds of image that cannot be read, each written as a file."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image


def encoded(kind: str) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind)
    return content.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def bomb() -> bytes:
    """A PNG of a few bytes that claims 40,000 × 40,000 pixels."""
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def with_wrong_checksum() -> bytes:
    content = bytearray(encoded("PNG"))
    content[content.index(b"IHDR") + 5] ^= 0xFF
    return bytes(content)


def without_pixels() -> bytes:
    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b"")


BROKEN: dict[str, Callable[[], bytes]] = {
    "empty.png": lambda: b"",
    "text.jpg": lambda: b"this is no picture",
    "html.png": lambda: b"<!doctype html><title>404</title>",
    "zeros.png": lambda: bytes(4096),
    "truncated.png": lambda: encoded("PNG")[:400],
    "truncated.jpg": lambda: encoded("JPEG")[:300],
    "truncated.webp": lambda: encoded("WEBP")[:60],
    "signature.png": lambda: b"\x89PNG\r\n\x1a\n",
    "checksum.png": with_wrong_checksum,
    "nopixels.png": without_pixels,
    "bomb.png": bomb,
    "markers.jpg": lambda: b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\xff" * 64,
    "cut.gif": lambda: encoded("GIF")[:30],
    "cut.tif": lambda: encoded("TIFF")[:20],
}


def write_broken_images(folder: Path) -> list[str]:
    """Write them all, and a folder dressed as an image; the ids of the files."""
    for name, content in BROKEN.items():
        (folder / f"bad-{name.replace('.', '-')}.{name.rsplit('.')[-1]}").write_bytes(content())
    (folder / "folder.png").mkdir()
    return sorted(f"bad-{name.replace('.', '-')}" for name in BROKEN)

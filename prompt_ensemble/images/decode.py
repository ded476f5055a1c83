"""Pictures in: RGB pixels whatever a file holds, and only from formats that are named here."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from prompt_ensemble.core.errors import UnreadableImage
from prompt_ensemble.images.tar_members import member_size, read_member

FORMATS = (
    "PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "DIB", "TIFF", "JPEG2000", "PPM", "TGA",
    "ICO", "ICNS", "PCX", "SGI", "DDS", "QOI", "SPIDER", "MSP", "XBM", "IM", "PSD",
)  # fmt: skip
"""Pillow's decoders that are used; whatever a file is called, no other is tried. EPS is not among
them, since Pillow hands it to Ghostscript, a program that runs what the file says."""
_MAX_PIXELS = 89_478_485
"""Pillow's own warning threshold (a quarter GiB of RGB); anything larger is refused unread."""
MOST_BYTES = 512 * 2**20

_DECODER_FAULTS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders are known to raise on broken files; anything else is a bug of ours."""

# Sizes are checked below and refused with a proper error; the warning would only repeat it.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


@cache
def readable_formats() -> tuple[str, ...]:
    """Those of the formats that this build of Pillow has a decoder for."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def load_image(path: Path) -> Image.Image:
    """The picture in a file as upright 8-bit RGB, or ``UnreadableImage``."""
    return decode_image(read_image(path), path)


def read_image(path: Path) -> bytes:
    """The bytes of an image of sane size, from a file or from a member of a tar shard."""
    try:
        try:
            size, read = path.stat().st_size, path.read_bytes
        except NotADirectoryError:  # the path leads through a file, which a shard is
            size, read = member_size(path), partial(read_member, path)
        if size > MOST_BYTES:
            raise UnreadableImage(f"{path}: {size} bytes, more than the {MOST_BYTES} allowed")
        return read()
    except OSError as error:
        raise UnreadableImage(f"{path}: cannot be read ({error.strerror or error})") from error


def decode_image(content: bytes, path: Path) -> Image.Image:
    """RGB pixels of an encoded picture; of an animation its first frame."""
    with open_image(content, path) as image:
        return to_rgb(upright(image))


@contextmanager
def open_image(content: bytes, path: Path) -> Iterator[Image.Image]:
    """An encoded picture of a format named here and of sane size, as Pillow opens it.

    Whatever a decoder raises while the picture is used becomes ``UnreadableImage``.
    """
    if not content:
        raise UnreadableImage(f"{path}: the file is empty")
    try:
        with Image.open(io.BytesIO(content), formats=readable_formats()) as image:
            if image.width * image.height > _MAX_PIXELS:
                raise Image.DecompressionBombError
            yield image
    except Image.DecompressionBombError as error:
        raise UnreadableImage(
            f"{path}: more than the {_MAX_PIXELS} pixels allowed (a decompression bomb?)"
        ) from error
    except UnidentifiedImageError as error:
        raise UnreadableImage(
            f"{path}: not an image of a format read here ({', '.join(FORMATS[:8])} …)"
        ) from error
    except _DECODER_FAULTS as error:
        reason = " ".join(str(error).split())
        raise UnreadableImage(f"{path}: damaged ({type(error).__name__}: {reason})") from error


def as_rgb(image: Image.Image, name: str) -> Image.Image:
    """A picture that is already decoded, as upright 8-bit RGB of its own."""
    try:
        if image.width * image.height > _MAX_PIXELS:
            raise UnreadableImage(f"{name}: more than the {_MAX_PIXELS} pixels allowed")
        return to_rgb(upright(image)).copy()
    except _DECODER_FAULTS as error:
        reason = " ".join(str(error).split())
        raise UnreadableImage(f"{name}: damaged ({type(error).__name__}: {reason})") from error


def upright(image: Image.Image) -> Image.Image:
    """Turned as EXIF says; broken EXIF is no reason to lose a picture."""
    try:
        return ImageOps.exif_transpose(image)
    except _DECODER_FAULTS:
        return image


def to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB: deep greys scaled down, transparency over white, anything else converted."""
    if image.mode.startswith("I") or image.mode == "F":
        return _deep_grey_to_rgb(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _deep_grey_to_rgb(image: Image.Image) -> Image.Image:
    """16- and 32-bit greys to 8 bits by their range; Pillow's own conversion would clip them."""
    grey = np.asarray(image, dtype=np.float64)
    top = grey.max(initial=0.0)
    if image.mode.startswith("I;16") or top > 255:
        full_range = 65535.0 if top <= 65535 else top
    else:
        full_range = 1.0 if image.mode == "F" and top <= 1 else 255.0
    levels = np.clip(np.nan_to_num(grey) * (255.0 / full_range), 0, 255).round()
    return Image.fromarray(levels.astype(np.uint8)).convert("RGB")

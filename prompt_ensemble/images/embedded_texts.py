"""The texts that programs write into image files: PNG chunks, EXIF, XMP, comments.

Names are those of PNG's chunks. What other formats keep in EXIF gets the name of the chunk that
the same programs write into PNG files, so that whoever looks for a prompt looks in one place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from PIL import Image
from PIL.PngImagePlugin import iTXt

from prompt_ensemble.images.decode import open_image, to_rgb, upright

MOST_CHARACTERS = 2**20
"""Of one text; a longer one, which no prompt needs, is not looked at."""
PARAMETERS = "parameters"
"""The chunk of AUTOMATIC1111, Fooocus and SwarmUI, and what stands for it in EXIF."""
DESCRIPTION = "Description"
XMP = "XML:com.adobe.xmp"
_EXIF_IFD = 0x8769
_USER_COMMENT = 0x9286
_IMAGE_DESCRIPTION = 0x010E
_TEXT_TAGS = (_IMAGE_DESCRIPTION, 0x010F, 0x0110)
"""ImageDescription, Make and Model: into these ComfyUI's savers write ``workflow:{…}``."""
_XP_COMMENT = 0x9C9C
_NAMED = re.compile(r"(prompt|workflow|parameters)\s*:\s*(?=\{)", re.IGNORECASE)
_ENCODINGS = {b"ASCII\0\0\0": "utf-8", b"JIS\0\0\0\0\0": "shift_jis"}
_UNDECIDED = b"\0" * 8
_DECLARATIONS = re.compile("<!(doctype|entity)", re.IGNORECASE)
_RESOURCE = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_TIFF_FAULTS = (OSError, SyntaxError, ValueError, LookupError, TypeError, AttributeError)


def decode_with_texts(content: bytes, path: Path) -> tuple[Image.Image, dict[str, str]]:
    """Upright RGB pixels and all texts, or ``UnreadableImage``."""
    with open_image(content, path) as image:
        image.load()  # texts may come after the pixels
        texts = {name: text for name, text in _texts(image) if len(text) <= MOST_CHARACTERS}
        return to_rgb(upright(image)), texts


def _texts(image: Image.Image) -> Iterator[tuple[str, str]]:
    """Names and texts; of two with one name the later counts, so the surest come last."""
    info: dict[Any, Any] = {**image.info, **getattr(image, "text", {})}
    packet = info.get(XMP) or info.get("xmp")
    if packet:
        yield from _of_xmp(_decoded(packet))
    yield from _of_exif(image)
    for name, value in info.items():
        if name == "comment":
            yield DESCRIPTION, _decoded(value)
        elif isinstance(value, str) and name != XMP:
            yield str(name), value if isinstance(value, iTXt) else _as_utf_8(value)


def _as_utf_8(text: str) -> str:
    """UTF-8 that a program wrote where PNG says Latin-1, read again as what it is."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _of_exif(image: Image.Image) -> Iterator[tuple[str, str]]:
    """UserComment and descriptions; broken EXIF is no reason to lose a picture."""
    try:
        exif = image.getexif()
        inner = exif.get_ifd(_EXIF_IFD)
    except _TIFF_FAULTS:
        return
    for tag in _TEXT_TAGS:
        text = _decoded(exif.get(tag, ""))
        named = _NAMED.match(text)
        if named:
            yield named[1].lower(), text[named.end() :]
        elif text and tag == _IMAGE_DESCRIPTION:
            yield DESCRIPTION, text
    comment = exif.get(_XP_COMMENT)
    if isinstance(comment, bytes):
        yield PARAMETERS, comment.decode("utf-16-le", "replace").rstrip("\0")
    # Fooocus writes the comment beside, and not into, the part of EXIF where it belongs.
    for value in (exif.get(_USER_COMMENT), inner.get(_USER_COMMENT)):
        text = _user_comment(value)
        if text:
            yield PARAMETERS, text


def _user_comment(value: object) -> str:
    """EXIF's comment, whose first eight bytes name its encoding."""
    if not isinstance(value, bytes):
        return _decoded(value)
    kind, rest = value[:8], value[8:]
    if kind == b"UNICODE\0":
        return _utf_16(rest)
    if kind in _ENCODINGS or kind == _UNDECIDED:
        return rest.decode(_ENCODINGS.get(kind, "utf-8"), "replace").strip("\0 ")
    return _decoded(value)


def _utf_16(content: bytes) -> str:
    """UTF-16 of either order of bytes; programs differ, and no mark tells.

    The high bytes are those with more zeros, or, where no letter is Latin, with less variety.
    """
    even, odd = content[::2], content[1::2]
    little = (odd.count(0), -len(set(odd))) > (even.count(0), -len(set(even)))
    return content.decode("utf-16-le" if little else "utf-16-be", "replace").strip("\0\ufeff ")


def _of_xmp(packet: str) -> Iterator[tuple[str, str]]:
    """Descriptions and comments of an XMP packet, which is XML without declarations."""
    if len(packet) > MOST_CHARACTERS or _DECLARATIONS.search(packet):
        return
    try:
        root = ElementTree.fromstring(packet.strip("\0 \n\r\ufeff"))
    except (ElementTree.ParseError, ValueError):
        return
    for element in root.iter():
        name = element.tag.rsplit("}")[-1]
        if name == "description":
            yield DESCRIPTION, _inner_text(element)
        elif name == "UserComment":
            yield PARAMETERS, _inner_text(element)
        for attribute, value in element.attrib.items():
            if attribute.rsplit("}")[-1] == "UserComment":
                yield PARAMETERS, value


def _inner_text(element: ElementTree.Element) -> str:
    """The text of an element, or of the first item of the list that it holds."""
    items = element.iter(f"{_RESOURCE}li")
    return next((item.text for item in items if item.text), element.text or "").strip()


def _decoded(value: object) -> str:
    """Text as it is; bytes as UTF-8."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip("\0 ")
    return value if isinstance(value, str) else ""

"""Texts in image files: found wherever programs put them, and bounded."""

import io
from pathlib import Path

import pytest
from generated_images import picture, png, utf_16, with_exif, xmp
from PIL import Image

from prompt_ensemble.images.embedded_texts import (
    DESCRIPTION,
    MOST_CHARACTERS,
    PARAMETERS,
    decode_with_texts,
)


def texts_in(content: bytes) -> dict[str, str]:
    return decode_with_texts(content, Path("a"))[1]


def test_chunks_after_the_pixels_are_read():
    content = png({"a": "b"})
    end = content.index(b"IEND") - 4
    late = png({"parameters": "late"})
    chunk = late[late.index(b"tEXt") - 4 : late.index(b"IDAT") - 4]
    assert texts_in(content[:end] + chunk + content[end:])["parameters"] == "late"


@pytest.mark.parametrize("text", ["a cat", "eine Füchsin", "雪の中の赤い狐の油絵", "🦊 fox"])
@pytest.mark.parametrize("order", ["le", "be"])
def test_either_order_of_utf_16_is_told_apart(text, order):
    assert texts_in(with_exif(utf_16(text, order)))[PARAMETERS] == text


@pytest.mark.parametrize("text", ["Füchsin", "狐", "a fox"])
def test_utf_8_where_latin_1_should_be_is_read_as_what_it_is(text):
    assert texts_in(png({"a": text.encode().decode("latin-1")}))["a"] == text
    assert texts_in(png({"a": text}))["a"] == text


def test_comments_of_jpeg_are_descriptions():
    file = io.BytesIO()
    picture().save(file, "JPEG", comment=b"a fox in the snow")
    assert texts_in(file.getvalue())[DESCRIPTION] == "a fox in the snow"


def test_texts_without_end_are_not_looked_at():
    assert texts_in(png({"parameters": "x" * (MOST_CHARACTERS + 1), "b": "c"})) == {"b": "c"}


def test_xml_that_declares_entities_is_not_parsed():
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + xmp("&amp;a;", "dc:description")
    assert DESCRIPTION not in texts_in(png({"XML:com.adobe.xmp": bomb}))


def test_broken_exif_costs_no_picture():
    file = io.BytesIO()
    picture().save(file, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xff" * 40)
    image, texts = decode_with_texts(file.getvalue(), Path("a"))
    assert isinstance(image, Image.Image) and texts == {}

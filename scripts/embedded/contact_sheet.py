"""A page of left-out images with their true prompts and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prompt_ensemble.core.embeddings import Encode
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.html import render
from prompt_ensemble.images.decode import load_image
from prompt_ensemble.images.thumbnails import Size, data_address

_SIZE = Size(320, 80)


@dataclass(frozen=True)
class SheetText:
    """One text, how it came about, and its cosine to the true prompt, which has none."""

    way: str
    text: str
    cosine: float | None = None


@dataclass(frozen=True)
class Sheet:
    """One image and its texts, the true prompt first."""

    picture: str
    texts: tuple[SheetText, ...]


def write_contact_sheet(
    images: Mapping[str, Path],
    prompts: Mapping[str, str],
    said: Mapping[str, Mapping[str, str]],
    ways: Sequence[str],
    encode: Encode,
    path: Path,
) -> None:
    """The page, with an image for each of ``images`` and a text for each of the ``ways``."""
    sheets, cosines = [], []
    for image_id, file in images.items():
        texts = [said[way][image_id] for way in ways]
        true, *found = encode([prompts[image_id], *texts])
        near = [float(row @ true) for row in found]
        cosines.append(near[0])
        lines = (SheetText(*each) for each in zip(ways, texts, near, strict=True))
        picture = data_address(load_image(file), _SIZE)
        sheets.append(Sheet(picture, (SheetText("true prompt", prompts[image_id]), *lines)))
    page = render(
        "scripts.embedded", "contact_sheet.html", title="prompts in words", sheets=sheets,
        mean=float(np.mean(cosines)),
    )  # fmt: skip
    write_atomically(path, page)

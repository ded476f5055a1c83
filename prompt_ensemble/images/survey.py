"""A look at every image before anything expensive: which can be decoded, and what they hold.

Decoding all images once costs a percent of a run and buys certainty: a broken file is known
before the first model is loaded, every model sees the same images, and the digests tell later
runs whether an image changed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from prompt_ensemble.core.errors import UnreadableImage
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.images.decode import decode_image, read_image
from prompt_ensemble.images.find import ImageFile


@dataclass(frozen=True)
class SurveyedImage:
    """An image that decodes, with the SHA-256 of its file."""

    image_id: str
    path: Path
    digest: str


@dataclass(frozen=True)
class BadImage:
    """An image that does not decode, and why."""

    image_id: str
    path: Path
    reason: str


@dataclass(frozen=True)
class Album:
    """All images of a run, in the order of their ids."""

    good: tuple[SurveyedImage, ...]
    bad: tuple[BadImage, ...]

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Ids of good and bad images together, sorted."""
        return tuple(sorted([*map(by_id, self.good), *map(by_id, self.bad)]))


def survey(
    files: Sequence[ImageFile], *, workers: int | None = None, progress: Progress = silent
) -> Album:
    """Decode every image once."""
    with (
        ThreadPoolExecutor(workers or os.cpu_count()) as pool,
        progress("checking images", len(files)) as advance,
    ):
        looked = []
        for result in pool.map(survey_one, files):
            looked.append(result)
            advance(1)
    return sort_out(looked)


def survey_one(file: ImageFile) -> SurveyedImage | BadImage:
    """Decode one image and throw the pixels away."""
    try:
        content = read_image(file.path)
        decode_image(content, file.path)
    except UnreadableImage as error:
        return BadImage(file.image_id, file.path, str(error))
    return SurveyedImage(file.image_id, file.path, hashlib.sha256(content).hexdigest())


def sort_out(looked: Iterable[SurveyedImage | BadImage]) -> Album:
    """Good and bad apart, each sorted by id."""
    looked = list(looked)
    good = [image for image in looked if isinstance(image, SurveyedImage)]
    bad = [image for image in looked if isinstance(image, BadImage)]
    return Album(tuple(sorted(good, key=by_id)), tuple(sorted(bad, key=by_id)))


def by_id(image: SurveyedImage | BadImage) -> str:
    """What images are sorted by."""
    return image.image_id

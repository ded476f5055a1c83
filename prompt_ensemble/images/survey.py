"""A look at every image before anything expensive: which can be decoded, and what they hold.

Decoding all images once costs a percent of a run and buys certainty: a broken file is known
before the first model is loaded, every model sees the same images, and the digests tell later
runs whether an image changed. The pictures stay in memory as far as there is room, so that each
is decoded once for all members of a run; beyond that they are decoded again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from prompt_ensemble.core.errors import BadConfig, UnreadableImage
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.images.decode import as_rgb, decode_image, load_image, read_image
from prompt_ensemble.images.find import ImageFile, find_images

_MOST_KEPT_BYTES = 2 * 2**30
_SHARE_OF_MEMORY = 1 / 8
_PIXEL_BYTES = 4
"""Bytes in which Pillow holds an RGB pixel."""

_Picture = Image.Image | np.ndarray | bytes
"""An image in memory: Pillow's, an array ``(H, W[, 3])`` uint8, or the bytes of a file."""
Source = Path | str | ImageFile | _Picture
Sources = Source | Sequence[Source] | Mapping[str, _Picture]


@dataclass(frozen=True)
class SurveyedImage:
    """An image that decodes, with the SHA-256 of its file or pixels."""

    image_id: str
    path: Path | None
    digest: str
    picture: Image.Image | None = field(default=None, compare=False, repr=False)
    """The decoded picture, while there is room for it; always there if no file holds it."""

    def load(self) -> Image.Image:
        """The picture as RGB; whoever wants to change it takes a copy."""
        if self.picture is not None:
            return self.picture
        assert self.path is not None, "a picture without a file is kept"
        return load_image(self.path)


@dataclass(frozen=True)
class _BadImage:
    """An image that does not decode, and why."""

    image_id: str
    reason: str


@dataclass(frozen=True)
class Album:
    """All images of a run, in the order of their ids."""

    good: tuple[SurveyedImage, ...]
    bad: tuple[_BadImage, ...]
    folders: tuple[Path, ...] = ()
    """Where images were looked for, at any depth."""

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Ids of good and bad images together, sorted."""
        return tuple(sorted([*map(_image_id, self.good), *map(_image_id, self.bad)]))


def survey(
    sources: Sources, *, workers: int | None = None, progress: Progress = silent,
    most_bytes: int | None = None,
) -> Album:  # fmt: skip
    """Decode every image once: folders, files, Pillow images, arrays or bytes.

    Images that are no files are called ``image0``, ``image1`` … unless a mapping names them.
    ``most_bytes`` is how much memory decoded pictures may take in all.
    """
    room = _memory_for_pictures() if most_bytes is None else most_bytes
    found = list(_named(sources))
    surveyed: list[SurveyedImage | _BadImage] = []
    with (
        ThreadPoolExecutor(workers or os.cpu_count()) as pool,
        progress("checking images", len(found)) as advance,
    ):
        for image in pool.map(_survey, found):
            if isinstance(image, SurveyedImage) and image.path is not None:
                assert image.picture is not None
                size = image.picture.width * image.picture.height * _PIXEL_BYTES
                room -= size
                # Kept or not by position, never exchanged: members go through an album from
                # beginning to end, where the least recently used picture is the next one wanted.
                image = image if room >= 0 else replace(image, picture=None)
            surveyed.append(image)
            advance(1)
    good = [image for image in surveyed if isinstance(image, SurveyedImage)]
    bad = [image for image in surveyed if isinstance(image, _BadImage)]
    paths = [Path(source) for source in _listed(sources) if isinstance(source, Path | str)]
    folders = tuple(path for path in paths if path.is_dir())
    return Album(tuple(sorted(good, key=_image_id)), tuple(sorted(bad, key=_image_id)), folders)


def _memory_for_pictures() -> int:
    """Bytes that decoded pictures may take: a share of this machine's memory, within bounds."""
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0
    return min(_MOST_KEPT_BYTES, int(whole * _SHARE_OF_MEMORY))


def _listed(sources: Sources) -> Sequence[Source]:
    """Sources that are not named by a mapping, one after another."""
    if isinstance(sources, Mapping):
        return []
    if isinstance(sources, Path | str | ImageFile | Image.Image | np.ndarray | bytes):
        return [sources]
    return sources


def _named(sources: Sources) -> Iterator[ImageFile | tuple[str, _Picture]]:
    """Every image with its id, whatever it is given as."""
    if isinstance(sources, Mapping):
        yield from sources.items()
        return
    unnamed = _listed(sources)
    files = [source for source in unnamed if isinstance(source, Path | str)]
    listed = [source for source in unnamed if isinstance(source, ImageFile)]
    pictures = [s for s in unnamed if isinstance(s, Image.Image | np.ndarray | bytes)]
    names = [f"image{number}" for number in range(len(pictures))]
    if files or not (pictures or listed):
        found = find_images(files)
        twice = {file.image_id for file in found} & set(names)
        if twice:
            raise BadConfig(
                f"a file has the id {min(twice)!r}, which a picture without a file is given, too; "
                "name the pictures with a mapping of ids to images"
            )
        yield from found
    yield from listed
    yield from zip(names, pictures, strict=True)


def _survey(image: ImageFile | tuple[str, _Picture]) -> SurveyedImage | _BadImage:
    """Decode one image."""
    image_id, source = (image.image_id, image.path) if isinstance(image, ImageFile) else image
    try:
        if isinstance(source, Path):
            content = read_image(source)
            return SurveyedImage(
                image_id, source, hashlib.sha256(content).hexdigest(), decode_image(content, source)
            )
        picture = _decoded(source, image_id)
    except UnreadableImage as error:
        return _BadImage(image_id, str(error))
    pixels = hashlib.sha256(f"{picture.size}".encode() + picture.tobytes())
    return SurveyedImage(image_id, None, pixels.hexdigest(), picture)


def _decoded(picture: _Picture, image_id: str) -> Image.Image:
    """An image in memory as RGB."""
    if isinstance(picture, bytes):
        return decode_image(picture, Path(image_id))
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3):
            raise UnreadableImage(
                f"{image_id}: an array {picture.shape} of {picture.dtype}; expected (height, "
                "width, 3) of uint8"
            )
        try:
            picture = Image.fromarray(picture)
        except (TypeError, ValueError) as error:
            raise UnreadableImage(f"{image_id}: no picture ({error})") from error
    return as_rgb(picture, image_id)


def _image_id(image: SurveyedImage | _BadImage) -> str:
    return image.image_id

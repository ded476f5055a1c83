"""Which files are images, and the id of each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from PIL import Image

from prompt_ensemble.core.errors import BadConfig, DuplicateImageId
from prompt_ensemble.images.decode import load_image, readable_formats
from prompt_ensemble.images.tar_members import SUFFIX, is_image_there, member_paths


@dataclass(frozen=True, order=True)
class ImageFile:
    """A file and the id under which its rows go into the submission: the name without suffix."""

    image_id: str
    path: Path

    def load(self) -> Image.Image:
        """The picture as upright 8-bit RGB, or ``UnreadableImage``."""
        return load_image(self.path)


def find_images(sources: Iterable[Path | str]) -> tuple[ImageFile, ...]:
    """Images in folders (at any depth), tar shards and single files, sorted by their unique ids."""
    paths = [path for source in sources for path in _image_paths(Path(source))]
    if not paths:
        raise BadConfig(
            f"no images in {', '.join(map(str, sources))}; expected files ending in "
            ".png, .jpg, .webp or another format Pillow reads, at any depth"
        )
    files = sorted(ImageFile(path.stem, path) for path in dict.fromkeys(paths))
    for one, other in pairwise(files):
        if one.image_id == other.image_id:
            raise DuplicateImageId(
                f"{one.path} and {other.path} share the id {one.image_id!r}, the name without "
                "suffix; an id names one row, so rename or leave out one of them"
            )
    return tuple(files)


def _image_paths(source: Path) -> Iterator[Path]:
    """The image files that a folder or a tar shard holds, or the named file itself."""
    if source.is_dir():
        for folder, folders, names in os.walk(source):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (Path(folder, name) for name in sorted(names) if is_image_name(name))
    elif source.suffix == SUFFIX and source.is_file():
        yield from (path for path in member_paths(source) if is_image_name(path.name))
    elif source.exists() or is_image_there(source):
        yield source
    else:
        raise BadConfig(f"{source} is not there; expected a folder of images or an image file")


def is_image_name(name: str) -> bool:
    """Whether a file's suffix is one that Pillow can read."""
    return not name.startswith(".") and Path(name).suffix.lower() in _readable_suffixes()


@cache
def _readable_suffixes() -> frozenset[str]:
    """Suffixes of the formats that are read."""
    formats = readable_formats()
    return frozenset(s for s, name in Image.registered_extensions().items() if name in formats)

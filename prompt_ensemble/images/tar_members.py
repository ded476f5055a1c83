"""Images that lie in tar shards: ``shard-00000.tar/000012.jpg`` names a member, read in place.

A path stays a path: listings, loaders and worker processes need not know where an image lies. Only
plain files are members, and nothing is ever unpacked to where its name says.
"""

from __future__ import annotations

import os
import struct
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

SUFFIX = ".tar"
_OPEN_INDICES = 4096
"""Shards whose members are remembered: forty million images at ten thousand a shard."""

_FAULTS = (tarfile.TarError, ValueError, EOFError, LookupError, ArithmeticError, struct.error)


@dataclass(frozen=True, eq=False)
class TarIndex:
    """Where the plain files of an archive lie; three sorted arrays, since there may be millions."""

    names: np.ndarray
    """``(N,)`` UTF-8 as bytes, ascending."""
    offsets: np.ndarray
    sizes: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def find(self, name: str) -> tuple[int, int] | None:
        """Offset and size of a member."""
        encoded = _encoded(name)
        # Of the array's own kind, for NumPy would else convert all names at every search.
        place = int(np.searchsorted(self.names, np.array(encoded, self.names.dtype)))
        if place == len(self) or self.names[place] != encoded:
            return None
        return int(self.offsets[place]), int(self.sizes[place])

    def name(self, place: int) -> str:
        """The name at a place."""
        return bytes(self.names[place]).decode(errors="surrogateescape")


def read_index(path: Path) -> TarIndex:
    """The members of an uncompressed archive, or ``OSError`` if it is none."""
    try:
        with tarfile.open(path, "r:") as archive:
            found = {
                _encoded(member.name.removeprefix("./")): (member.offset_data, member.size)
                for member in _members(archive)
                if member.isreg() and not member.issparse()
            }
    except _FAULTS as error:
        raise OSError(f"{path} is no uncompressed tar archive ({error})") from error
    names = sorted(found)
    places = np.array([found[name] for name in names], np.int64).reshape(-1, 2)
    return TarIndex(np.array(names, np.bytes_), places[:, 0].copy(), places[:, 1].copy())


def split_member(path: Path) -> tuple[Path, str] | None:
    """The archive and the name within it, if the path leads through a file called ``.tar``."""
    for parent in path.parents:
        if parent.suffix == SUFFIX and parent.is_file():
            return parent, path.relative_to(parent).as_posix()
    return None


def is_image_there(path: Path) -> bool:
    """Whether a file, or a member of a shard, has this path."""
    if path.is_file():
        return True
    member = split_member(path)
    return member is not None and _index_of(member[0]).find(member[1]) is not None


def member_size(path: Path) -> int:
    """Bytes of a member, or ``OSError``."""
    return _place(path)[2]


def read_member(path: Path) -> bytes:
    """The bytes of a member, or ``OSError``."""
    archive, offset, size = _place(path)
    with archive.open("rb") as file:
        return os.pread(file.fileno(), size, offset)


def member_paths(archive: Path) -> Iterator[Path]:
    """The path of every member, in the order of names."""
    index = _index_of(archive)
    return (archive / index.name(place) for place in range(len(index)))


def _place(path: Path) -> tuple[Path, int, int]:
    """Where a member lies."""
    member = split_member(path)
    place = _index_of(member[0]).find(member[1]) if member else None
    if member is None or place is None:
        raise FileNotFoundError(2, "No such file, nor a member of a tar shard", str(path))
    return member[0], *place


def _index_of(archive: Path) -> TarIndex:
    """The index of an archive, read again if the file has changed."""
    status = archive.stat()
    return _remembered_index(archive, status.st_size, status.st_mtime_ns)


@lru_cache(_OPEN_INDICES)
def _remembered_index(archive: Path, size: int, changed: int) -> TarIndex:
    return read_index(archive)


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Member after member; the archive's own list of them, which would fill memory, is emptied."""
    while (member := archive.next()) is not None:
        archive.members.clear()  # type: ignore[attr-defined]
        yield member


def _encoded(name: str) -> bytes:
    return name.encode(errors="surrogateescape")

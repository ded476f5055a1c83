"""Folders, zip and tar archives as one thing: names in order, and bytes by name.

Nothing is ever unpacked to where a name says, so no name can lead out of an archive. Every read has
a limit, whatever size the archive declares.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.data.gathering.sources.packed_tar import unpacked_tar
from prompt_ensemble.images.tar_members import read_index

ZIPS = (".zip",)
TARS = (".tar",)
PACKED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_MOST_UNPACKED = 4 * 2**30
"""The largest member of a zip archive; Python stops at the size that a member declares."""
_OPEN_ZIPS = 16
"""A set may have thousands of archives, and a process may not have as many files open."""
_FAULTS = (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, LookupError,
           NotImplementedError, RuntimeError, MemoryError)  # fmt: skip
"""What Python's readers raise over damaged members; RuntimeError is a password's."""


class UnreadableMember(Exception):
    """A member that is damaged, encrypted or larger than allowed, and why."""


class Container(Protocol):
    """Files by name."""

    path: Path

    @property
    def names(self) -> Sequence[str]:
        """All files, in order."""

    def read(self, name: str, most_bytes: int) -> bytes:
        """A file's bytes, or ``UnreadableMember``."""

    def open(self, name: str) -> IO[bytes]:
        """A file as a stream, which ends no later than the size that is declared."""

    def has(self, name: str) -> bool:
        """Whether there is such a file."""

    def fingerprint(self) -> str:
        """Changes with the names, sizes and times of change."""


def open_container(path: Path, work: Path) -> Container:
    """The container at a path, or one line that says what is wrong with it.

    A compressed tar archive is unpacked into a plain one in ``work``, the hidden folder within the
    one that is filled.
    """
    try:
        if path.is_dir():
            return Folder(path, work.parent)
        if path.name.lower().endswith(ZIPS):
            return Zip(path)
        packed = path.name.lower().endswith(PACKED_TARS)
        return Tar(path, unpacked_tar(path, work) if packed else None)
    except _FAULTS as error:
        reason = " ".join(str(error).split())[:200]
        raise BadConfig(f"{path} cannot be read as an archive ({reason})") from error


class Folder:
    """Files at any depth, hidden ones left out."""

    def __init__(self, path: Path, without: Path) -> None:
        """``without`` is a folder that is left out: what is gathered may be written within."""
        self.path = path
        self.names = sorted(_walk(path, without.resolve()))

    def has(self, name: str) -> bool:
        """Whether the file is there, and within the folder."""
        return is_inside(name) and (self.path / name).is_file()

    def open(self, name: str) -> IO[bytes]:
        """A file as a stream."""
        return (self.path / name).open("rb")

    def read(self, name: str, most_bytes: int) -> bytes:
        """A file's bytes."""
        try:
            with self.open(name) as file:
                return _limited(file.read(most_bytes + 1), most_bytes)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            raise UnreadableMember(f"cannot be read ({reason or error})") from error

    def fingerprint(self) -> str:
        """Names, sizes and times of all files."""
        digest = hashlib.sha256()
        for name in self.names:
            digest.update(f"{name}\n{_state(self.path / name)}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()


class Zip:
    """Members of a zip archive."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state = _state(path)
        files = {
            member.filename
            for member in _opened_zip(path, self._state).infolist()
            if not member.is_dir()
        }
        self.names = sorted(name for name in files if not _is_hidden(name))
        self._known = frozenset(self.names)

    def has(self, name: str) -> bool:
        """Whether there is such a member."""
        return name in self._known

    def open(self, name: str) -> IO[bytes]:
        """A member as a stream."""
        archive = _opened_zip(self.path, self._state)
        member = archive.getinfo(name)
        if member.file_size > _MOST_UNPACKED:
            raise UnreadableMember(f"unpacks to more than {_MOST_UNPACKED >> 30} GiB")
        return archive.open(member)

    def read(self, name: str, most_bytes: int) -> bytes:
        """A member's bytes, unpacked no further than allowed."""
        try:
            with self.open(name) as file:
                return _limited(file.read(most_bytes + 1), most_bytes)
        except _FAULTS as error:
            raise UnreadableMember(f"damaged in the archive ({error})") from error

    def fingerprint(self) -> str:
        """Size and time of the archive."""
        return self._state


class Tar:
    """Members of an uncompressed tar archive, read where they lie."""

    def __init__(self, path: Path, plain: Path | None = None) -> None:
        """``plain`` is where a compressed archive was unpacked to."""
        self.path = path
        self._plain = plain or path
        self._index = read_index(self._plain)
        every = (self._index.name(place) for place in range(len(self._index)))
        self.names = [name for name in every if not _is_hidden(name)]

    def has(self, name: str) -> bool:
        """Whether there is such a member."""
        return self._index.find(name) is not None

    def open(self, name: str) -> IO[bytes]:
        """A member as a stream, in memory."""
        return io.BytesIO(self.read(name, _MOST_UNPACKED))

    def read(self, name: str, most_bytes: int) -> bytes:
        """A member's bytes."""
        offset, size = self._index.find(name) or (0, 0)
        if size > most_bytes:
            raise UnreadableMember(f"{size} bytes, more than the {most_bytes} allowed")
        try:
            with self._plain.open("rb") as file:
                return os.pread(file.fileno(), size, offset)
        except (OSError, OverflowError, MemoryError) as error:
            raise UnreadableMember(f"cannot be read ({error})") from error

    def fingerprint(self) -> str:
        """Size and time of the archive."""
        return _state(self.path)


@lru_cache(_OPEN_ZIPS)
def _opened_zip(path: Path, state: str) -> zipfile.ZipFile:
    """An archive that stays open while it is one of the last ones used."""
    return zipfile.ZipFile(path)


def is_inside(name: str) -> bool:
    """Whether a name that a listing gives stays within the listing's folder."""
    parts = PurePosixPath(name).parts
    return bool(parts) and not PurePosixPath(name).is_absolute() and ".." not in parts


def _walk(folder: Path, without: Path) -> Iterator[str]:
    for root, folders, names in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and Path(root, name).resolve() != without
        ]
        inner = Path(root).relative_to(folder)
        for name in names:
            if not name.startswith(".") and Path(root, name).is_file():
                yield (inner / name).as_posix()


def _is_hidden(name: str) -> bool:
    """Whether a name, or a folder in it, begins with a dot, or is what macOS adds to archives."""
    parts = [part for part in PurePosixPath(name).parts if part != ".."]
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _limited(content: bytes, most_bytes: int) -> bytes:
    if len(content) > most_bytes:
        raise UnreadableMember(f"more than the {most_bytes} bytes allowed")
    return content


def _state(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return "gone"
    return f"{status.st_size} {status.st_mtime_ns}"

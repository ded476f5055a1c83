"""Compressed tar archives, unpacked once into plain ones, whose members are read in place."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.files import atomic_file

_OPENERS: dict[str, Callable[[Path], object]] = {
    ".gz": gzip.open, ".tgz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open,
}  # fmt: skip
_PART = 2**20
_MOST_TIMES = 50
"""Images hardly shrink; an archive that grows more than this is a bomb."""
_ALWAYS_ALLOWED = 2**28
_FAULTS = (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)


def unpacked_tar(path: Path, folder: Path) -> Path:
    """The plain archive in a folder of ours; made anew only if the packed one has changed."""
    status = path.stat()
    state = f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"
    plain = folder / f"{hashlib.sha256(state.encode()).hexdigest()[:16]}.tar"
    if not plain.exists():
        most = _ALWAYS_ALLOWED + _MOST_TIMES * status.st_size
        try:
            with cast(BinaryIO, _OPENERS[path.suffix.lower()](path)) as packed:
                _copy(packed, plain, most, path)
        except _FAULTS as error:
            raise BadConfig(f"{path} cannot be unpacked ({error})") from error
    return plain


def _copy(packed: BinaryIO, plain: Path, most: int, path: Path) -> None:
    done = 0
    with atomic_file(plain) as file:
        while part := packed.read(_PART):
            done += len(part)
            if done > most:
                raise BadConfig(
                    f"{path} unpacks to more than {most >> 20} MiB, {_MOST_TIMES} times its size; "
                    "a bomb? unpack it yourself if you trust it"
                )
            file.write(part)

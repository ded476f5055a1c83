"""Tar archives whose bytes depend on names and contents alone: no times, no owners."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

from prompt_ensemble.core.files import atomic_file


def write_tar(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """An archive that is whole or absent, its members in the order given."""
    with (
        atomic_file(path) as file,
        tarfile.open(mode="w", fileobj=file, format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))

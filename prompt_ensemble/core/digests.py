"""Digests of files that are computed once: remembered by path, size and time of change."""

from __future__ import annotations

import json
from pathlib import Path

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.files import cache_folder, file_digest, write_atomically
from prompt_ensemble.core.records import read_object

MEMORY = "digests.json"


def remembered_digest(path: Path) -> str:
    """SHA-256 of a file, which is read only if it has changed since the last call."""
    status = path.stat()
    key, state = str(path.resolve()), [status.st_size, status.st_mtime_ns]
    known = _read_memory().get(key)
    if isinstance(known, list) and known[:2] == state and len(known) == 3:
        return str(known[2])
    digest = file_digest(path)
    _remember(key, [*state, digest])
    return digest


def _read_memory() -> dict[str, object]:
    """All remembered digests; none if the file is damaged, since they can be computed again."""
    try:
        return read_object(cache_folder() / MEMORY, "digests")
    except BadConfig:
        return {}


def _remember(key: str, value: list[object]) -> None:
    """Add a digest; if the cache cannot be written to, the file is only read again next time."""
    try:
        write_atomically(cache_folder() / MEMORY, json.dumps(_read_memory() | {key: value}))
    except OSError:
        return

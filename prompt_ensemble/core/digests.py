"""Digests of files that are computed once: remembered by path, size and time of change."""

from __future__ import annotations

import json
from pathlib import Path

from prompt_ensemble.core.cache_folder import cache_folder
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.files import file_digest, write_atomically
from prompt_ensemble.core.records import read_object

MEMORY = "digests.json"


def remembered_digest(path: Path) -> str:
    """SHA-256 of a file; one that has not changed since it was last asked for is not read."""
    status = path.stat()
    key, state = str(path.resolve()), [status.st_size, status.st_mtime_ns]
    known = _read_memory().get(key)
    if isinstance(known, list) and known[:2] == state and len(known) == 3:
        return str(known[2])
    digest = file_digest(path)
    _remember(key, [*state, digest])
    return digest


def _read_memory() -> dict[str, object]:
    """What is remembered; nothing if the file is damaged, since all of it can be made again."""
    try:
        return read_object(cache_folder() / MEMORY, "digests")
    except BadConfig:
        return {}


def _remember(key: str, value: list[object]) -> None:
    """Add one digest; a cache that cannot be written to costs time and nothing else."""
    try:
        write_atomically(cache_folder() / MEMORY, json.dumps(_read_memory() | {key: value}))
    except OSError:
        return

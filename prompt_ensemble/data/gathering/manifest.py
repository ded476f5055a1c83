"""What a gathered set is made of: written last, so that a set with a manifest is whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prompt_ensemble.core.files import file_digest, write_atomically
from prompt_ensemble.core.records import read_object
from prompt_ensemble.data.gathering.options import GatherOptions
from prompt_ensemble.data.gathering.row import read_columns
from prompt_ensemble.data.gathering.shards import SHARD_WRITERS
from prompt_ensemble.data.gathering.statistics import Statistics
from prompt_ensemble.data.gathering.steps import Step
from prompt_ensemble.data.gathering.writing import LISTING, PROMPTS, TABLE

MANIFEST = "manifest.json"
_LIBRARIES = ("prompt-ensemble", "pillow", "pyarrow", "sd-parsers")
"""On whose versions the bytes may depend."""


def describe(
    steps: Sequence[Step], options: GatherOptions, found: Statistics, shards: int,
    problems: Sequence[str], out: Path,
) -> dict[str, Any]:  # fmt: skip
    """The manifest of a set whose files are all there."""
    writer = SHARD_WRITERS[options.layout]
    digests = {writer.path(shard): writer.digest(out, shard) for shard in range(shards)}
    digests |= {name: file_digest(out / name) for name in (LISTING, PROMPTS, TABLE)}
    return {
        "made_with": {name: version(name) for name in _LIBRARIES},
        "licence": options.licence or "not said",
        "options": asdict(options),
        "sources": _sources(steps, found),
        "problems": list(problems),
        "statistics": found.as_record(),
        "files": digests,
    }


def write_manifest(out: Path, manifest: dict[str, Any]) -> None:
    """The manifest beside what it describes."""
    write_atomically(out / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")


def finished_manifest(out: Path) -> dict[str, Any] | None:
    """The manifest of a set that is already whole."""
    if not (out / MANIFEST).exists():
        return None
    return read_object(out / MANIFEST, "the manifest of a gathered set")


def _sources(steps: Sequence[Step], found: Statistics) -> list[dict[str, object]]:
    """Each source with a digest of the names and contents of all that was read from it."""
    digests: dict[str, Any] = {}
    images: dict[str, int] = {}
    for step in steps:
        columns = read_columns(step.rows, "name", "digest")
        name = step.source.name
        digest = digests.setdefault(name, hashlib.sha256())
        images[name] = images.get(name, 0) + len(columns["name"])
        for image, content in zip(columns["name"], columns["digest"], strict=True):
            digest.update(f"{image} {content}\n".encode())
    return [
        {
            "name": name,
            "images": images[name],
            "kept": found.sources[name],
            "digest": digest.hexdigest(),
        }
        for name, digest in digests.items()
    ]

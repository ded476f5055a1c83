"""Gathering from beginning to end: look at every image, judge all together, write what is kept.

Whatever is finished is not done again: a stopped run goes on, and ends in the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prompt_ensemble.core.errors import BadConfig, nearest_name
from prompt_ensemble.core.files import require_writable, write_atomically
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.core.records import as_object, reading
from prompt_ensemble.data.gathering.generation import KINDS
from prompt_ensemble.data.gathering.judging import Encode, judge
from prompt_ensemble.data.gathering.manifest import (
    MANIFEST,
    describe,
    finished_manifest,
    write_manifest,
)
from prompt_ensemble.data.gathering.near_images import check_bits
from prompt_ensemble.data.gathering.options import GatherOptions
from prompt_ensemble.data.gathering.page import page
from prompt_ensemble.data.gathering.prompt_records import Columns
from prompt_ensemble.data.gathering.shards import SHARD_WRITERS
from prompt_ensemble.data.gathering.sources.candidate import Source
from prompt_ensemble.data.gathering.sources.opening import SourceOpener
from prompt_ensemble.data.gathering.steps import plan_steps, run_steps
from prompt_ensemble.data.gathering.writing import write_set

PAGE = "report.html"
_DEFAULTS = GatherOptions()
_WORK = ".gathering"
_REQUEST = ".request"
"""Hidden, for it holds times of files: it is no part of the set, whose bytes depend on contents."""


@dataclass(frozen=True)
class Gathered:
    """What came of it."""

    out: Path
    manifest: dict[str, Any]

    @property
    def kept(self) -> int:
        """Pairs in the set."""
        return int(self.statistics["kept"])

    @property
    def statistics(self) -> dict[str, Any]:
        """Counts, as the manifest has them."""
        with reading(self.out / MANIFEST, "the manifest of a gathered set"):
            return as_object(self.manifest["statistics"])


def gather(
    sources: Sequence[str],
    out: Path,
    options: GatherOptions = _DEFAULTS,
    *,
    indices: Sequence[Path] = (),
    encode: Encode | None = None,
    workers: int = 1,
    progress: Progress = silent,
) -> Gathered:
    """Gather pairs from sources into ``out``; ``encode`` is needed for ``near_prompts`` only."""
    _check(options, encode)
    require_writable(out)
    work = out / _WORK
    columns = Columns(options.image_column, options.prompt_column)
    opened = SourceOpener(work, columns, indices).open_all(sources)
    request = _request(opened.sources, indices, options)
    _begin(out, request)
    finished = finished_manifest(out)
    if finished is None:
        steps = plan_steps(opened.sources, work)
        run_steps(steps, options, workers, progress)
        judgement = judge(steps, options, encode, progress)
        found, shards = write_set(steps, judgement, options, out, progress)
        title = f"Pairs gathered from {', '.join(source.name for source in opened.sources[:5])}"
        write_atomically(out / PAGE, page(title, found, options, out))
        write_manifest(out, describe(steps, options, found, shards, opened.problems, out))
        finished = finished_manifest(out)
        assert finished is not None, "it was just written"
    shutil.rmtree(work, ignore_errors=True)
    _sweep(out)
    return Gathered(out, finished)


def _check(options: GatherOptions, encode: Encode | None) -> None:
    """Options that make no sense, found before hours of work."""
    for kind in options.include:
        if kind not in KINDS:
            raise BadConfig(f"no kind of images is {kind!r}; {nearest_name(kind, list(KINDS))}")
    check_bits(options.near_bits)
    if options.layout not in SHARD_WRITERS:
        raise BadConfig(f"layout is {options.layout!r}; expected {' or '.join(SHARD_WRITERS)}")
    if options.near_prompts and encode is None:
        raise BadConfig("near_prompts needs a sentence encoder; pass its encode")


def _request(sources: Sequence[Source], indices: Sequence[Path], options: GatherOptions) -> str:
    """What determines the result: sources as they are now, and options."""
    parts = [[source.name, len(source), source.fingerprint] for source in sources]
    states = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in indices]
    text = json.dumps([parts, states, asdict(options)])
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def _sweep(out: Path) -> None:
    """Take away what a killed run had only begun to write."""
    folders = [out, *((out / writer.path(0)).parent for writer in SHARD_WRITERS.values())]
    for part in (part for folder in folders for part in folder.glob(".*.tmp")):
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def _begin(out: Path, request: str) -> None:
    """Go on with what an earlier run began, if it was asked for the same."""
    note = out / _REQUEST
    if note.exists() and note.read_text(encoding="utf-8") != request:
        raise BadConfig(
            f"{out} holds a set of other sources or options, or a source has changed since; "
            "name another folder with --out, or delete this one"
        )
    there = [out / name for name in (MANIFEST, *(w.path(0) for w in SHARD_WRITERS.values()))]
    if not note.exists() and any(path.exists() for path in there):
        raise BadConfig(f"{out} holds another set already; name an empty folder with --out")
    write_atomically(note, request)

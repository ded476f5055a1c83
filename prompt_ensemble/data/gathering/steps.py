"""The first and longest part: every candidate is looked at, a thousand at a time.

A step leaves the pictures it kept in a tar and then its rows in a table. The table is written last,
so that a step is done if its table is there; a stopped run goes on with the first that is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from prompt_ensemble.core.progress import Progress
from prompt_ensemble.data.gathering.examining import examine
from prompt_ensemble.data.gathering.options import GatherOptions
from prompt_ensemble.data.gathering.row import Row, write_rows
from prompt_ensemble.data.gathering.sources.candidate import Source
from prompt_ensemble.data.gathering.tar_writing import write_tar

_CANDIDATES = 1000
_IN_MEMORY = 64
"""Candidates whose bytes may be in memory at once."""


@dataclass(frozen=True)
class Step:
    """A stretch of one source, and where its work lies."""

    source: Source
    first: int
    last: int
    rows: Path
    pictures: Path

    def picture(self, place: int, suffix: str) -> Path:
        """Where the picture of a row lies."""
        return self.pictures / picture_name(place, suffix)


def plan_steps(sources: Sequence[Source], work: Path) -> list[Step]:
    """All steps in the order of sources."""
    return [
        _step(source, number, first, work)
        for number, source in enumerate(sources)
        for first in range(0, len(source), _CANDIDATES)
    ]


def run_steps(
    steps: Sequence[Step], options: GatherOptions, workers: int, progress: Progress
) -> None:
    """Every step that is not done yet."""
    total = sum(step.last - step.first for step in steps)
    with progress("examining images", total) as advance, ThreadPoolExecutor(workers) as pool:
        for step in steps:
            if not step.rows.exists():
                _run_step(step, options, pool)
            advance(step.last - step.first)


def picture_name(place: int, suffix: str) -> str:
    """What a picture is called by its place in its step."""
    return f"{place:06}{suffix}"


def _step(source: Source, number: int, first: int, work: Path) -> Step:
    stem = f"{number:05}-{first:010}"
    last = min(first + _CANDIDATES, len(source))
    return Step(source, first, last, work / f"{stem}.parquet", work / f"{stem}.tar")


def _run_step(step: Step, options: GatherOptions, pool: ThreadPoolExecutor) -> None:
    """Look at the candidates of a step; pictures go to the disk as they come."""
    rows: list[Row] = []
    write_tar(step.pictures, _pictures(step, options, pool, rows))
    write_rows(step.rows, rows)


def _pictures(
    step: Step, options: GatherOptions, pool: ThreadPoolExecutor, rows: list[Row]
) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the pictures kept; every row is added to ``rows``."""
    examine_one = partial(examine, source=step.source.name, options=options)
    candidates = step.source.candidates(step.first, step.last)
    while batch := list(islice(candidates, _IN_MEMORY)):
        for examined in pool.map(examine_one, batch):
            if not examined.row.left_out:
                yield picture_name(len(rows), examined.row.suffix), examined.content
            rows.append(examined.row)

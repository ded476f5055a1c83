"""Many prompts that differ: candidates come in batches, and each is kept if nothing like it was.

What was kept lies in a folder beside the file until all are there, so that a stopped run goes on
behind its last batch and ends in the same file.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from prompt_ensemble.core.embeddings import Encode, unit_rows
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.core.records import reading
from prompt_ensemble.core.text_faults import is_sound
from prompt_ensemble.data.approximate_index import ApproximateIndex
from prompt_ensemble.data.deduplication import near_duplicates
from prompt_ensemble.data.normalising import normalise
from prompt_ensemble.data.prompt_files import write_prompts

Candidates = Callable[[int], Sequence[str]]
"""The batch of a number: the same number gives the same texts."""
_SETTINGS = "settings.json"
_DRY = 20
"""Batches in a row without a new prompt, after which there will be no more."""


@dataclass(frozen=True)
class Wanted:
    """How many prompts, and how far from each other and from known ones."""

    count: int
    threshold: float = 0.8
    """Cosine from which on two prompts count as one."""
    nearest_known: float = 1.01
    """Cosine with a known prompt from which on a prompt is not new; above 1 all are."""


@dataclass(frozen=True, eq=False)
class Written:
    """Prompts that were kept, and what was not."""

    prompts: tuple[str, ...]
    vectors: np.ndarray
    candidates: int
    faulty: int
    """Empty, broken or repetitive."""
    alike: int
    """Same as or near to one that was kept."""
    known: int
    """Near to a known prompt."""


@dataclass(frozen=True, eq=False)
class _Batch:
    """What came of a batch of candidates."""

    prompts: tuple[str, ...]
    vectors: np.ndarray
    counts: tuple[int, int, int, int]
    """Candidates, faulty, alike, known."""


def write_distinct(
    candidates: Candidates,
    wanted: Wanted,
    out: Path,
    settings: Mapping[str, Any],
    *,
    encode: Encode,
    known: np.ndarray | None = None,
    progress: Progress = silent,
) -> Written:
    """Fill ``out`` with prompts, one a line; ``settings`` say what a stopped run must have in
    common with the one that goes on; ``known`` holds unit rows of known prompts."""
    parts = out.with_name(f"{out.name}.parts")
    _check_settings(settings, parts)
    sieve = _Sieve(wanted, encode, known)
    with progress("writing prompts", wanted.count, "prompt") as advance:
        for batch in _stored(parts):
            sieve.add(batch)
        advance(min(sieve.kept, wanted.count))
        while sieve.kept < wanted.count and not sieve.is_dry:
            batch = sieve.sift(candidates(len(sieve.batches)))
            advance(min(len(batch.prompts), wanted.count - sieve.kept))
            _store(batch, parts / f"{len(sieve.batches):06}.npz")
            sieve.add(batch)
    written = sieve.written()
    write_prompts(out, written.prompts)
    shutil.rmtree(parts)
    return written


class _Sieve:
    """All that was kept so far, and whether a candidate is new beside it."""

    def __init__(self, wanted: Wanted, encode: Encode, known: np.ndarray | None) -> None:
        self.wanted = wanted
        self.encode = encode
        self.index = ApproximateIndex()
        self.known = ApproximateIndex()
        if known is not None:
            self.known.add(known)
        self.seen: set[str] = set()
        self.batches: list[_Batch] = []

    @property
    def kept(self) -> int:
        """Prompts kept so far."""
        return sum(len(batch.prompts) for batch in self.batches)

    @property
    def is_dry(self) -> bool:
        """Whether nothing new has come for long."""
        last = self.batches[-_DRY:]
        return len(last) == _DRY and not any(batch.prompts for batch in last)

    def add(self, batch: _Batch) -> None:
        """Take what a batch kept as known."""
        self.batches.append(batch)
        self.seen.update(map(normalise, batch.prompts))
        if len(batch.prompts):
            self.index.add(batch.vectors)

    def sift(self, candidates: Sequence[str]) -> _Batch:
        """What of the candidates is sound, new and unlike."""
        sound = [text for text in candidates if is_sound(text)]
        first = {normalise(text): text for text in reversed(sound)}
        fresh = [text for key, text in reversed(first.items()) if key not in self.seen]
        vectors = unit_rows(self.encode(fresh)) if fresh else np.empty((0, 384), np.float32)
        nearest, _ = self.known.nearest(vectors)
        new = np.flatnonzero(nearest < self.wanted.nearest_known)
        far = new[self._unlike(vectors[new])]
        counts = (
            len(candidates), len(candidates) - len(sound),
            len(sound) - len(fresh) + len(new) - len(far), len(fresh) - len(new),
        )  # fmt: skip
        return _Batch(tuple(fresh[row] for row in far.tolist()), vectors[far], counts)

    def _unlike(self, vectors: np.ndarray) -> np.ndarray:
        """Rows near to nothing that was kept, nor to an earlier one of them."""
        cosines, _ = self.index.nearest(vectors)
        fresh = np.flatnonzero(cosines < self.wanted.threshold)
        stands_for = near_duplicates([vectors[fresh]], self.wanted.threshold, ApproximateIndex())
        unlike: np.ndarray = fresh[stands_for == np.arange(len(fresh))]
        return unlike

    def written(self) -> Written:
        """As many as are wanted."""
        prompts = [prompt for batch in self.batches for prompt in batch.prompts]
        vectors = np.concatenate([batch.vectors for batch in self.batches])
        count = self.wanted.count
        sums = np.array([batch.counts for batch in self.batches]).sum(axis=0).tolist()
        return Written(tuple(prompts[:count]), vectors[:count], *sums)


def _check_settings(settings: Mapping[str, Any], parts: Path) -> None:
    """Begin a run, or refuse to go on with one of other settings."""
    file = parts / _SETTINGS
    text = json.dumps(settings, sort_keys=True, default=str)
    if not file.exists():
        write_atomically(file, text)
        return
    with reading(file, "settings of a run"):
        before = file.read_text(encoding="utf-8")
    if before != text:
        raise BadConfig(
            f"{parts} holds a run with other settings; repeat its command to go on, or delete it"
        )


def _store(batch: _Batch, file: Path) -> None:
    buffer = io.BytesIO()
    np.savez(
        buffer, prompts=np.array(batch.prompts, np.str_), vectors=batch.vectors,
        counts=np.array(batch.counts),
    )  # fmt: skip
    write_atomically(file, buffer.getvalue())


def _stored(parts: Path) -> Iterator[_Batch]:
    """The batches of the run so far."""
    for file in sorted(parts.glob("*.npz")):
        with reading(file, "a batch of prompts"), np.load(file, allow_pickle=False) as arrays:
            prompts = tuple(map(str, arrays["prompts"].tolist()))
            counts = arrays["counts"].tolist()
            yield _Batch(prompts, arrays["vectors"], (counts[0], counts[1], counts[2], counts[3]))

"""Phrase banks: lists embedded once and kept, under a key of the encoder and the list.

A bank that was made with another encoder or another list has another key and is never found; one
that the disk has damaged is noticed and made again.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prompt_ensemble.core.files import cache_folder, write_atomically
from prompt_ensemble.core.records import FAULTS
from prompt_ensemble.data.phrase_lists import PhraseList

log = logging.getLogger(__name__)

_PHRASES_PER_SHARD = 8192
"""A minute's work of two cores, no more."""
_EmbedPhrases = Callable[[Sequence[str]], np.ndarray]


@dataclass(frozen=True, eq=False)
class PhraseBank:
    """Phrases and their unit rows, ``(P, D)``; float16 where a tower read them."""

    name: str
    phrases: tuple[str, ...]
    vectors: np.ndarray


def open_bank(phrases: PhraseList, encoder_digest: str, embed: _EmbedPhrases) -> PhraseBank:
    """The bank of a list: from the cache, or embedded now and kept."""
    path = bank_path(phrases, encoder_digest)
    vectors = read_vectors(path, len(phrases.phrases))
    if vectors is None:
        vectors = _embed_in_shards(phrases.phrases, path, embed)
        keep_vectors(path, vectors)
        for shard in path.parent.glob(f"{path.stem}.shard-*"):
            shard.unlink(missing_ok=True)
    return PhraseBank(phrases.name, phrases.phrases, vectors)


def _embed_in_shards(phrases: Sequence[str], path: Path, embed: _EmbedPhrases) -> np.ndarray:
    """Rows of a long list, shard by shard, so that a stopped run need not begin again."""
    if len(phrases) <= _PHRASES_PER_SHARD:
        return embed(phrases)
    shards = []
    for start in range(0, len(phrases), _PHRASES_PER_SHARD):
        part = phrases[start : start + _PHRASES_PER_SHARD]
        kept = path.with_name(f"{path.stem}.shard-{start:07}.safetensors")
        vectors = read_vectors(kept, len(part))
        if vectors is None:
            vectors = embed(part)
            keep_vectors(kept, vectors)
        shards.append(vectors)
    return np.concatenate(shards)


def bank_path(phrases: PhraseList, encoder_digest: str) -> Path:
    """Where a bank lies."""
    key = hashlib.sha256(f"{encoder_digest}\n{phrases.digest}".encode()).hexdigest()
    return cache_folder() / "banks" / f"{phrases.name}-{key[:32]}.safetensors"


def keep_vectors(path: Path, vectors: np.ndarray) -> None:
    """Write a bank; where that is not allowed the run goes on without."""
    from safetensors.numpy import save

    try:
        write_atomically(path, save({"vectors": np.ascontiguousarray(vectors)}))
    except OSError as error:
        log.warning("%s cannot be kept (%s) and will be made again next time", path, error)


def read_vectors(path: Path, count: int) -> np.ndarray | None:
    """A kept bank's rows, mapped from the disk; None if there are none or they are not whole."""
    from prompt_ensemble.data.mapped_arrays import map_arrays

    if not path.exists():
        return None
    try:
        vectors = map_arrays(path)["vectors"]
    except FAULTS as error:
        log.warning("%s is damaged (%s) and will be made again", path, error)
        return None
    if vectors.ndim != 2 or len(vectors) != count or not np.isfinite(vectors).all():
        log.warning("%s does not hold %d rows of numbers and will be made again", path, count)
        return None
    return vectors

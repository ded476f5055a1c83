"""Pairs of an image and the prompt that made it, as a listing of JSON lines names them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.files import file_digest
from prompt_ensemble.core.records import read_objects, reading
from prompt_ensemble.images.tar_members import is_image_there


@dataclass(frozen=True)
class Pair:
    """One image, its prompt, and where they are from."""

    image: Path
    prompt: str
    source: str
    tier: str


@dataclass(frozen=True)
class Pairs:
    """All pairs of a listing, in its order."""

    rows: tuple[Pair, ...]
    digest: str

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def prompts(self) -> list[str]:
        """The prompt of each pair."""
        return [pair.prompt for pair in self.rows]

    @property
    def sources(self) -> np.ndarray:
        """The source of each pair, ``(N,)``."""
        return np.array([pair.source for pair in self.rows])

    @property
    def tiers(self) -> np.ndarray:
        """The tier of each pair, ``(N,)``."""
        return np.array([pair.tier for pair in self.rows])


def join_pairs(listings: Sequence[Pairs]) -> Pairs:
    """Several listings as one."""
    if len(listings) == 1:
        return listings[0]
    digest = hashlib.sha256("\n".join(pairs.digest for pairs in listings).encode()).hexdigest()
    return Pairs(tuple(row for pairs in listings for row in pairs.rows), digest)


def read_pairs(listing: Path, folders: Sequence[Path], source_field: str = "source") -> Pairs:
    """Pairs of a listing; images are looked for in ``folders``, else next to the listing.

    An image may lie in a tar shard, as ``shards/00000.tar/000012.jpg``. A line with a list of
    ``captions`` in place of a ``prompt`` is a pair for each of them.
    """
    roots = tuple(folders) or (listing.parent,)
    rows = tuple(
        _read_pair(one, roots, source_field, where)
        for where, record in read_objects(listing, "a pair of image and prompt")
        for one in _with_one_prompt(record)
    )
    if not rows:
        raise BadConfig(f"{listing} holds no pairs; expected a JSON object a line")
    return Pairs(rows, file_digest(listing))


def _with_one_prompt(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The record itself, or a copy with each of its ``captions`` as the prompt."""
    captions = record.get("captions")
    if "prompt" in record or not isinstance(captions, list):
        return [record]
    return [{**record, "prompt": caption} for caption in captions]


def _read_pair(
    record: Mapping[str, Any], roots: Sequence[Path], source_field: str, where: str
) -> Pair:
    """One line of a listing; ``image`` and ``prompt`` must be there."""
    try:
        image, prompt = Path(record["image"]), str(record["prompt"])
    except (KeyError, TypeError) as error:
        raise BadConfig(
            f'{where} is no pair ({error!r}); expected {{"image": "a.jpg", "prompt": "…"}}'
        ) from error
    with reading(where, "a pair"):  # a name may be too long for the system, or hold a null
        found = [root / image for root in roots if is_image_there(root / image)]
    if not found:
        searched = ", ".join(map(str, roots))
        raise BadConfig(f"{where}: image {image} is not in {searched}; name its folder (--images)")
    return Pair(found[0], prompt, str(record.get(source_field, "")), str(record.get("tier", "A")))

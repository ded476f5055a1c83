"""The store: outputs on the disk in shards, each under a key made of all that determines it.

A shard's key covers the model's identity (weights, options, precision) and the ids and contents
of its images, so a stale shard cannot be found, let alone used. A shard appears complete or not
at all. What a killed run finished is therefore simply there when the same command runs again,
and processes may fill one store together: at worst two write the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from prompt_ensemble.core.errors import PromptEnsembleError
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.outputs import Outputs, from_bytes, to_bytes
from prompt_ensemble.core.records import FAULTS, read_object, reading
from prompt_ensemble.images.survey import SurveyedImage

FORMAT = 1
"""Raised when a change to the package changes what models find; older shards then rest unused."""
SHARD_IMAGES = 128
NOTES = "notes.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shard:
    """Consecutive images of an album and the key of what one model found in them."""

    images: tuple[SurveyedImage, ...]
    key: str


def cut_into_shards(
    images: Sequence[SurveyedImage], identity: Mapping[str, object], size: int
) -> list[Shard]:
    """Shards of ``size`` images, whole batches so that resuming leaves every batch as it was."""
    cuts = [tuple(images[start : start + size]) for start in range(0, len(images), size)]
    return [Shard(cut, _shard_key(cut, identity)) for cut in cuts]


def shard_size(batch_size: int) -> int:
    """Images of a whole shard."""
    return max(1, SHARD_IMAGES // batch_size) * batch_size


def _shard_key(images: Sequence[SurveyedImage], identity: Mapping[str, object]) -> str:
    """Digest of everything that determines a shard's content."""
    content = [FORMAT, identity, [[image.image_id, image.digest] for image in images]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class OutputStore(Protocol):
    """Where finished shards are kept, and numbers about the making of them."""

    def load(self, member: str, shard: Shard) -> Outputs | None:
        """A shard's outputs; None if it has not been made."""

    def save(self, member: str, shard: Shard, outputs: Outputs, seconds: float) -> None:
        """Keep a finished shard, and how long it took."""

    def note(self, member: str, **numbers: float) -> None:
        """Keep numbers about a member's last run, such as the most bytes it held."""

    def notes(self, member: str) -> dict[str, float]:
        """What ``note`` kept; empty if nothing did."""

    def seconds(self, member: str, shard: Shard) -> float:
        """How long a shard took when it was made."""


@dataclass(frozen=True)
class MemoryStore:
    """A store that lasts as long as the run."""

    shards: dict[tuple[str, str], tuple[Outputs, float]] = field(default_factory=dict)
    numbers: dict[str, dict[str, float]] = field(default_factory=dict)

    def load(self, member: str, shard: Shard) -> Outputs | None:
        """A shard's outputs; None if it has not been made."""
        return self.shards.get((member, shard.key), (None, 0.0))[0]

    def save(self, member: str, shard: Shard, outputs: Outputs, seconds: float) -> None:
        """Keep a finished shard, and how long it took."""
        self.shards[member, shard.key] = (outputs, seconds)

    def note(self, member: str, **numbers: float) -> None:
        """Keep numbers about a member's last run."""
        self.numbers.setdefault(member, {}).update(numbers)

    def notes(self, member: str) -> dict[str, float]:
        """What ``note`` kept; empty if nothing did."""
        return dict(self.numbers.get(member, {}))

    def seconds(self, member: str, shard: Shard) -> float:
        """How long a shard took when it was made."""
        return self.shards.get((member, shard.key), (None, 0.0))[1]


@dataclass(frozen=True)
class Store:
    """A folder with one folder per member and one file per shard."""

    folder: Path

    def path(self, member: str, shard: Shard) -> Path:
        """Where a shard lies."""
        return self.folder / member / f"{shard.key[:40]}.safetensors"

    def load(self, member: str, shard: Shard) -> Outputs | None:
        """A shard's outputs; None if it has not been made or the disk has damaged it."""
        path = self.path(member, shard)
        if not path.exists():
            return None
        try:
            outputs = from_bytes(path.read_bytes())
        except (*FAULTS, PromptEnsembleError) as error:
            log.warning("%s is damaged (%s) and will be made again", path, error)
            return None
        expected = tuple(image.image_id for image in shard.images)
        return outputs if outputs.image_ids == expected else None

    def save(self, member: str, shard: Shard, outputs: Outputs, seconds: float) -> None:
        """Keep a finished shard, and how long it took."""
        path = self.path(member, shard)
        write_atomically(path.with_suffix(".json"), json.dumps({"seconds": seconds}))
        write_atomically(path, to_bytes(outputs))

    def note(self, member: str, **numbers: float) -> None:
        """Keep numbers about a member's last run, such as the most bytes it held."""
        path = self.folder / member / NOTES
        write_atomically(path, json.dumps(self.notes(member) | numbers))

    def notes(self, member: str) -> dict[str, float]:
        """What ``note`` kept; empty if nothing did."""
        return _numbers(self.folder / member / NOTES)

    def seconds(self, member: str, shard: Shard) -> float:
        """How long a shard took when it was made."""
        return _numbers(self.path(member, shard).with_suffix(".json")).get("seconds", 0.0)


def _numbers(path: Path) -> dict[str, float]:
    """Numbers that were kept with outputs; a damaged file has none, since no answer needs it."""
    if not path.exists():
        return {}
    try:
        numbers = read_object(path, "numbers of a run")
        with reading(path, "numbers of a run"):
            return {name: float(number) for name, number in numbers.items()}
    except PromptEnsembleError as error:
        log.warning("%s", error)
        return {}

"""One member over an album: what of it is in the store, and making the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from prompt_ensemble.core.embeddings import Embeddings, Encode
from prompt_ensemble.core.outputs import Outputs, join
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.images.survey import Album
from prompt_ensemble.models.device import Placement, forget_peak_memory, peak_memory, release
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.ensemble import Member
from prompt_ensemble.run.inference_loop import run_batches
from prompt_ensemble.run.store import Shard, Store, cut_into_shards

Stop = Callable[[int, int], bool]
"""Asked after every batch, with the images done and left; a true answer ends the work there."""


@dataclass(frozen=True)
class Run:
    """Where and how members are run; what all stages of one run share."""

    placement: Placement
    store: Store
    roots: WeightRoots
    workers: int | None = None
    progress: Progress = field(default=silent)
    spread: tuple[Placement, ...] = ()
    """Devices that share each member's shards, one worker process each; none if there is one."""


@dataclass(frozen=True)
class Seen:
    """What a member has found, for others that need it."""

    outputs: Outputs
    identity: Mapping[str, object]


@dataclass(frozen=True, eq=False)
class MemberResult:
    """What one member made of all readable images."""

    outputs: Outputs
    embeddings: Embeddings
    seconds: np.ndarray
    """Per image, ``(N,)``; an even share of the shard it was looked at in."""
    identity: Mapping[str, object]
    peak_memory: int
    """Bytes held at most while it looked, on the GPU or else by the process; 0 where unknown."""


class MemberRun:
    """A member's shards of an album, and which of them are there."""

    def __init__(
        self, member: Member, album: Album, run: Run, beside: Mapping[str, Seen | MemberResult]
    ) -> None:
        self.member = member
        self.run = run
        self.beside = {name: seen.outputs for name, seen in beside.items()}
        self.identity = full_identity(member, run.placement, beside)
        self.shards = cut_into_shards(album.good, self.identity, member.config.batch_size)
        self.stored: dict[str, Outputs] = {}
        self.find_stored()

    def on(self, run: Run) -> MemberRun:
        """The same for another device, without what has been found."""
        other = copy(self)
        other.run, other.stored = run, {}
        return other

    def find_stored(self) -> None:
        """Take what the store has and is not known yet."""
        for shard in self.missing:
            outputs = self.run.store.load(self.member.name, shard)
            if outputs is not None:
                self.stored[shard.key] = outputs

    @property
    def missing(self) -> list[Shard]:
        """Shards that are still to be made."""
        return [shard for shard in self.shards if shard.key not in self.stored]

    @property
    def images_left(self) -> int:
        """Images of the missing shards."""
        return sum(len(shard.images) for shard in self.missing)

    def fill(self, stop: Stop | None = None, shards: Sequence[Shard] | None = None) -> None:
        """Make the missing shards (or these), each stored as soon as it is whole."""
        wanted = self.missing if shards is None else shards
        if not wanted:
            return
        total = sum(len(shard.images) for shard in self.shards)
        with self.run.progress(self.member.name, total) as advance:
            advance(total - self.images_left)
            if self.run.spread:
                from prompt_ensemble.run.worker_processes import make_spread

                make_spread(self, wanted, stop, advance)
                self.find_stored()
            else:
                for shard, outputs in make(self, wanted, stop, advance):
                    self.stored[shard.key] = outputs
        release(self.run.placement)

    def seen(self) -> Seen:
        """All that has been found so far, in the order of the images."""
        there = [self.stored[shard.key] for shard in self.shards if shard.key in self.stored]
        return Seen(join(there), self.identity)

    def seconds(self) -> np.ndarray:
        """Seconds of each image found so far, those of one shard all alike."""
        there = [shard for shard in self.shards if shard.key in self.stored]
        return np.concatenate([share_of_seconds(self.run, self.member, one) for one in there])


def result_of(member_run: MemberRun, encode: Encode) -> MemberResult:
    """Outputs, embeddings and what they took."""
    member, seen = member_run.member, member_run.seen()
    memory = member_run.run.store.notes(member.name).get("peak_bytes", 0)
    embeddings = member.predictor.embed(seen.outputs, encode)
    return MemberResult(seen.outputs, embeddings, member_run.seconds(), seen.identity, int(memory))


def share_of_seconds(run: Run, member: Member, shard: Shard) -> np.ndarray:
    """An even share for each image of a shard."""
    count = len(shard.images)
    return np.full(count, run.store.seconds(member.name, shard) / count)


def full_identity(
    member: Member, placement: Placement, beside: Mapping[str, Seen | MemberResult]
) -> dict[str, object]:
    """All that determines a member's outputs besides the images: also what it was run with."""
    return {
        "kind": member.config.model,
        "predictor": dict(member.predictor.identity()),
        "beside": {name: dict(seen.identity) for name, seen in beside.items()},
        "batch_size": member.config.batch_size,
        "placement": str(replace(placement, device=torch.device(placement.device.type))),
    }


def make(
    member_run: MemberRun,
    wanted: Sequence[Shard],
    stop: Stop | None,
    advance: Callable[[int], object],
) -> Iterator[tuple[Shard, Outputs]]:
    """Load the model and make shards, each stored as soon as it is whole."""
    member, run = member_run.member, member_run.run
    forget_peak_memory(run.placement)
    started = time.monotonic()
    opened = member.predictor.open(run.placement, member_run.beside)
    run.store.note(member.name, load_seconds=time.monotonic() - started)
    images = [image for shard in wanted for image in shard.images]
    batches = run_batches(opened, images, run.placement, member.config.batch_size, run.workers)
    done = 0
    for shard in wanted:
        started = time.monotonic()
        parts: list[Outputs] = []
        while sum(map(len, parts)) < len(shard.images):
            if stop and stop(done, len(images) - done):
                return
            parts.append(next(batches))
            done += len(parts[-1])
            advance(len(parts[-1]))
        outputs = join(parts)
        run.store.save(member.name, shard, outputs, time.monotonic() - started)
        yield shard, outputs
    run.store.note(member.name, peak_bytes=peak_memory(run.placement))

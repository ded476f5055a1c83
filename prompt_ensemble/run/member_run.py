"""One member over an album: the only way in which a member meets images.

``MemberRun.outputs`` hands out the outputs of shard after shard, in the order of the images, from
the store where they are there and made now where they are not. So every command, trainer and call
resumes, batches, shows progress and keeps bad images apart in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate

import numpy as np
import torch

from prompt_ensemble.core.embeddings import Embeddings, Encode
from prompt_ensemble.core.outputs import Outputs, join
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.images.survey import Album
from prompt_ensemble.models.device import Placement
from prompt_ensemble.run.executors.in_process import Executor, InProcess, Stop, Work
from prompt_ensemble.run.members import Member
from prompt_ensemble.run.store import MemoryStore, OutputStore, Shard, cut_into_shards, shard_size


@dataclass(frozen=True)
class Run:
    """Where and how members are run; what all members of a run share."""

    placement: Placement
    store: OutputStore = field(default_factory=MemoryStore)
    workers: int | None = None
    progress: Progress = silent
    executor: Executor | None = None
    """Who makes the shards; this process if nobody is named."""


@dataclass(frozen=True)
class MemberOutputs:
    """Outputs of a member, and what determines them; for the members that need it."""

    outputs: Outputs
    identity: Mapping[str, object]


@dataclass(frozen=True, eq=False)
class MemberResult(MemberOutputs):
    """What one member made of all readable images."""

    embeddings: Embeddings
    seconds: np.ndarray
    """Per image, ``(N,)``; an even share of its shard's seconds."""
    peak_memory: int
    """Bytes held at most meanwhile, on the GPU or else by the process; 0 where unknown."""


class MemberRun:
    """A member's shards of an album, and which of them are there."""

    def __init__(
        self,
        member: Member,
        album: Album,
        run: Run,
        needed: Mapping[str, MemberOutputs] | None = None,
        batches_per_shard: int | None = None,
    ) -> None:
        """``batches_per_shard`` batches are kept together, or those of about 100 images."""
        needed = needed or {}
        self.member = member
        self.run = run
        self.identity = full_identity(member, run.placement, needed)
        self._work = Work(
            member, {name: part.outputs for name, part in needed.items()}, run.store, run.workers
        )
        batch_size = member.config.batch_size
        size = batches_per_shard * batch_size if batches_per_shard else shard_size(batch_size)
        self.shards = cut_into_shards(album.good, self.identity, size)
        stored = ((shard.key, run.store.load(member.name, shard)) for shard in self.shards)
        self._done = {key: outputs for key, outputs in stored if outputs is not None}

    @property
    def missing(self) -> list[Shard]:
        """Shards that are still to be made."""
        return [shard for shard in self.shards if shard.key not in self._done]

    @property
    def images_left(self) -> int:
        """Images of the missing shards."""
        return sum(len(shard.images) for shard in self.missing)

    def first(self, images: int) -> list[Shard]:
        """Shards from the beginning that hold at least so many images, if there are as many."""
        before = accumulate((len(shard.images) for shard in self.shards), initial=0)
        return [shard for start, shard in zip(before, self.shards, strict=False) if start < images]

    def outputs(self, stop: Stop | None = None, images: int | None = None) -> Iterator[Outputs]:
        """Outputs shard by shard in the order of the images; or only those of the first ``images``.

        Ends early where ``stop`` ends it: what is done by then is in the store.
        """
        wanted = self.shards if images is None else self.first(images)
        missing = [shard for shard in wanted if shard.key not in self._done]
        if not missing:
            yield from (self._done[shard.key] for shard in wanted)
            return
        executor = self.run.executor or InProcess(self.run.placement)
        total = sum(len(shard.images) for shard in self.shards)
        with self.run.progress(self.member.name, total) as advance:
            advance(total - self.images_left)
            made = executor.make(self._work, missing, stop, advance)
            for shard in wanted:
                while shard.key not in self._done:
                    finished = next(made, None)
                    if finished is None:
                        return
                    self._done[finished[0].key] = finished[1]
                yield self._done[shard.key]
            next(made, None)  # lets the executor note what the whole of it took

    def finish(self, stop: Stop | None = None, images: int | None = None) -> None:
        """Make what is missing, or as much of it as ``stop`` allows."""
        for _ in self.outputs(stop, images):
            pass

    def gathered(self) -> MemberOutputs:
        """All outputs so far, in the order of the images."""
        done = [self._done[shard.key] for shard in self.shards if shard.key in self._done]
        return MemberOutputs(join(done), self.identity)

    def seconds(self) -> np.ndarray:
        """Seconds of each image done so far, those of one shard all alike."""
        done = [shard for shard in self.shards if shard.key in self._done]
        return np.concatenate([self._share_of_seconds(shard) for shard in done])

    def result(self, encode: Encode) -> MemberResult:
        """Outputs, embeddings and what they took."""
        gathered = self.gathered()
        memory = self.run.store.notes(self.member.name).get("peak_bytes", 0)
        embeddings = self.member.predictor.embed(gathered.outputs, encode)
        return MemberResult(
            gathered.outputs, self.identity, embeddings, self.seconds(), int(memory)
        )

    def _share_of_seconds(self, shard: Shard) -> np.ndarray:
        """An even share for each image of a shard."""
        count = len(shard.images)
        return np.full(count, self.run.store.seconds(self.member.name, shard) / count)


def full_identity(
    member: Member, placement: Placement, needed: Mapping[str, MemberOutputs]
) -> dict[str, object]:
    """All that determines a member's outputs besides the images.

    The names of its parts are in the keys of stores that exist, and so they stay.
    """
    return {
        "kind": member.config.model,
        "predictor": dict(member.identity),
        "beside": {name: dict(part.identity) for name, part in needed.items()},
        "batch_size": member.config.batch_size,
        "placement": str(replace(placement, device=torch.device(placement.device.type))),
    }

"""Makes a member's shards in this process; worker processes do the same, each on its device."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from prompt_ensemble.core.outputs import Outputs, join
from prompt_ensemble.models.device import Placement, forget_peak_memory, peak_memory
from prompt_ensemble.run.inference_loop import run_batches
from prompt_ensemble.run.members import Member
from prompt_ensemble.run.store import OutputStore, Shard
from prompt_ensemble.run.warm_models import WarmModels

Stop = Callable[[int, int], bool]
"""Asked before every batch, with the images done and left; a true answer ends the work there."""
Advance = Callable[[int], object]
"""Told of images as they are done."""


@dataclass(frozen=True)
class Work:
    """A member's part of a run: all that whoever makes its shards must know."""

    member: Member
    needed: Mapping[str, Outputs]
    """Outputs of the members that this one needs."""
    store: OutputStore
    workers: int | None = None
    """Threads that decode images; None for as many as there are cores."""


class Executor(Protocol):
    """Makes shards, each in the store before it is handed on; in any order."""

    def make(
        self, work: Work, shards: Sequence[Shard], stop: Stop | None, advance: Advance
    ) -> Iterator[tuple[Shard, Outputs]]:
        """Make the shards, or those of them that ``stop`` allows."""

    @property
    def devices(self) -> int:
        """How many devices share the work."""


class InProcess:
    """One device, fed by this process."""

    devices = 1

    def __init__(self, placement: Placement, models: WarmModels | None = None) -> None:
        self.placement = placement
        self.models = WarmModels(placement) if models is None else models

    def make(
        self, work: Work, shards: Sequence[Shard], stop: Stop | None, advance: Advance
    ) -> Iterator[tuple[Shard, Outputs]]:
        """One shard after another, in their order."""
        try:
            yield from self._make(work, shards, stop, advance)
        finally:
            self.models.give_up()

    def _make(
        self, work: Work, shards: Sequence[Shard], stop: Stop | None, advance: Advance
    ) -> Iterator[tuple[Shard, Outputs]]:
        name = work.member.name
        forget_peak_memory(self.placement)
        started = time.monotonic()
        opened = self.models.get(work.member)
        work.store.note(name, load_seconds=time.monotonic() - started)
        images = [image for shard in shards for image in shard.images]
        batches = run_batches(
            opened, images, self.placement, work.member.config.batch_size, work.workers,
            work.needed,
        )  # fmt: skip
        done = 0
        for shard in shards:
            started = time.monotonic()
            parts: list[Outputs] = []
            while sum(map(len, parts)) < len(shard.images):
                if stop and stop(done, len(images) - done):
                    return
                parts.append(next(batches))
                done += len(parts[-1])
                advance(len(parts[-1]))
            outputs = join(parts)
            work.store.save(name, shard, outputs, time.monotonic() - started)
            yield shard, outputs
        work.store.note(name, peak_bytes=peak_memory(self.placement))

"""Makes a member's shards on several devices: a worker process each, which share the store.

A shard's key knows the kind of device but not which one, so who made a shard changes nothing, and
what a stopped run left is found by one device as by four.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from multiprocessing.connection import Connection

from prompt_ensemble.core.errors import PromptEnsembleError
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.models.device import Placement
from prompt_ensemble.run.executors.in_process import Advance, InProcess, Stop, Work
from prompt_ensemble.run.executors.worker_messages import DONE, listen, start_worker
from prompt_ensemble.run.store import Shard


class WorkerProcesses:
    """Several devices, fed by a process each."""

    def __init__(self, placements: Sequence[Placement]) -> None:
        self.placements = tuple(placements)

    @property
    def devices(self) -> int:
        """How many devices share the work."""
        return len(self.placements)

    def make(
        self, work: Work, shards: Sequence[Shard], stop: Stop | None, advance: Advance
    ) -> Iterator[tuple[Shard, Outputs]]:
        """Each shard as soon as some worker has put it into the store."""
        by_key = {shard.key: shard for shard in shards}
        placements = self.placements[: len(shards)]
        workers = []
        for number, placement in enumerate(placements):
            own = [_light(shard) for shard in shards[number :: len(placements)]]
            arguments = (work, placement, own, stop)
            workers.append(start_worker(_work, arguments, str(placement.device)))
        with closing(listen(workers)) as messages:
            for message in messages:
                if isinstance(message, int):
                    advance(message)
                    continue
                outputs = work.store.load(work.member.name, by_key[message])
                if outputs is not None:
                    yield by_key[message], outputs


def _light(shard: Shard) -> Shard:
    """The shard without the pictures that a worker can decode from their files."""
    images = (
        image if image.path is None else replace(image, picture=None) for image in shard.images
    )
    return replace(shard, images=tuple(images))


def _work(
    work: Work, placement: Placement, shards: Sequence[Shard], stop: Stop | None, send: Connection
) -> None:
    """In the worker: make its shards, telling of images and shards that are done."""
    try:
        for shard, _ in InProcess(placement).make(work, shards, stop, send.send):
            send.send(shard.key)
        send.send(DONE)
    except PromptEnsembleError as error:
        send.send(error)

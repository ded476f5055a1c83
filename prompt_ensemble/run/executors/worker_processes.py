"""Makes a member's shards on several devices: a worker process each, which share the store.

A shard's key knows the kind of device but not which one, so who made a shard changes nothing, and
what a stopped run left is found by one device as by four.
"""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

from prompt_ensemble.core.errors import PromptEnsembleError, WorkerFailed
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.models.device import Placement
from prompt_ensemble.run.executors.in_process import Advance, InProcess, Stop, Work
from prompt_ensemble.run.store import Shard

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

log = logging.getLogger(__name__)

_Message = int | str | PromptEnsembleError
"""Images done, the key of a finished shard, or what went wrong; ``""`` at the end."""


@dataclass(frozen=True)
class _Worker:
    """A process at work, and where its messages arrive."""

    process: BaseProcess
    messages: Connection
    device: str


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
        workers = [
            _start(work, placement, shards[number :: len(placements)], stop)
            for number, placement in enumerate(placements)
        ]
        try:
            for message in _messages(workers):
                if isinstance(message, int):
                    advance(message)
                    continue
                outputs = work.store.load(work.member.name, by_key[message])
                if outputs is not None:
                    yield by_key[message], outputs
        finally:
            for worker in workers:
                worker.process.terminate()
                worker.process.join()


def _start(work: Work, placement: Placement, shards: Sequence[Shard], stop: Stop | None) -> _Worker:
    """A fresh process, so that each device has a torch of its own."""
    context = multiprocessing.get_context("spawn")
    messages, send = context.Pipe(duplex=False)
    arguments = (work, placement, [_light(shard) for shard in shards], stop, send)
    process = context.Process(target=_work, args=arguments, daemon=True)
    process.start()
    send.close()
    return _Worker(process, messages, str(placement.device))


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
        send.send("")
    except PromptEnsembleError as error:
        send.send(error)


def _messages(workers: Sequence[_Worker]) -> Iterator[int | str]:
    """What workers tell until all are done; one that fails ends the work of all."""
    busy = {worker.messages: worker for worker in workers}
    while busy:
        for ready in wait(list(busy)):
            worker = busy[ready]  # type: ignore[index]
            message = _receive(worker)
            if isinstance(message, PromptEnsembleError):
                raise message
            if message == "":
                del busy[worker.messages]
            else:
                yield message


def _receive(worker: _Worker) -> _Message:
    """A worker's next message; an error if it has died."""
    try:
        message: _Message = worker.messages.recv()
    except EOFError as error:
        worker.process.join()
        raise WorkerFailed(
            f"the worker on {worker.device} ended with code {worker.process.exitcode}; "
            "what is finished is kept, so run the same command again, with fewer --devices "
            "if memory ran out"
        ) from error
    return message

"""One member over several devices: worker processes take turns at its shards and share the store.

A shard's key knows the kind of device but not which one, so who made a shard changes nothing, and
what a stopped run left is found by one device as by four.
"""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

from prompt_ensemble.core.errors import PromptEnsembleError, WorkerFailed
from prompt_ensemble.core.progress import silent
from prompt_ensemble.run.store import Shard

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from prompt_ensemble.run.member_run import MemberRun, Stop

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Share:
    """What one worker is given."""

    member_run: MemberRun
    shards: tuple[Shard, ...]
    stop: Stop | None


@dataclass(frozen=True)
class Worker:
    """A process at work, and where it tells what it has done."""

    process: BaseProcess
    told: Connection
    device: str


def make_spread(
    member_run: MemberRun,
    wanted: Sequence[Shard],
    stop: Stop | None,
    advance: Callable[[int], object],
) -> None:
    """Make shards on all devices of the run; they are in the store when this returns."""
    placements = member_run.run.spread[: len(wanted)]
    workers = []
    for number, placement in enumerate(placements):
        run = replace(member_run.run, placement=placement, spread=(), progress=silent)
        share = Share(member_run.on(run), tuple(wanted[number :: len(placements)]), stop)
        workers.append(start(share, str(placement.device)))
    try:
        listen(workers, advance)
    finally:
        for worker in workers:
            worker.process.terminate()
            worker.process.join()


def start(share: Share, device: str) -> Worker:
    """A fresh process, so that each device has a torch of its own."""
    context = multiprocessing.get_context("spawn")
    told, tell = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(share, tell), daemon=True)
    process.start()
    tell.close()
    return Worker(process, told, device)


def work(share: Share, tell: Connection) -> None:
    """In the worker: make its shards, telling the images done, and at last how it ended."""
    from prompt_ensemble.run.member_run import make

    try:
        for _ in make(share.member_run, share.shards, share.stop, tell.send):
            pass
        tell.send("done")
    except PromptEnsembleError as error:
        tell.send(error)


def listen(workers: Sequence[Worker], advance: Callable[[int], object]) -> None:
    """Count what workers tell until all are done; one that fails ends the work of all."""
    busy = {worker.told: worker for worker in workers}
    while busy:
        for told in wait(list(busy)):
            worker = busy[told]  # type: ignore[index]
            try:
                message = worker.told.recv()
            except EOFError as error:
                worker.process.join()
                raise WorkerFailed(
                    f"the worker on {worker.device} ended with code {worker.process.exitcode}; "
                    "what is finished is kept, so run the same command again, with fewer --devices "
                    "if memory ran out"
                ) from error
            if isinstance(message, PromptEnsembleError):
                raise message
            if message == "done":
                del busy[told]  # type: ignore[arg-type]
            else:
                advance(message)

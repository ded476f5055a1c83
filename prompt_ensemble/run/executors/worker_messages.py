"""What worker processes tell whoever started them, and what is done if one of them dies."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from prompt_ensemble.core.errors import PromptEnsembleError, WorkerFailed

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

Message = int | str | PromptEnsembleError
"""Images done, the name of something finished, or what went wrong; ``DONE`` at the end."""
DONE = ""


@dataclass(frozen=True)
class Worker:
    """A process at work, and where its messages arrive."""

    process: BaseProcess
    messages: Connection
    device: str


def start_worker(work: Callable[..., None], arguments: Sequence[Any], device: str) -> Worker:
    """A fresh process, so that each device has a torch of its own; ``work`` gets a pipe as well."""
    context = multiprocessing.get_context("spawn")
    messages, send = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(*arguments, send), daemon=True)
    process.start()
    send.close()
    return Worker(process, messages, device)


def listen(workers: Sequence[Worker]) -> Generator[int | str, None, None]:
    """What workers tell until all are done; one that fails ends the work of all."""
    busy = {worker.messages: worker for worker in workers}
    try:
        while busy:
            for ready in wait(list(busy)):
                worker = busy[ready]  # type: ignore[index]
                message = _receive(worker)
                if isinstance(message, PromptEnsembleError):
                    raise message
                if message == DONE:
                    del busy[worker.messages]
                else:
                    yield message
    finally:
        for worker in workers:
            worker.process.terminate()
            worker.process.join()


def _receive(worker: Worker) -> Message:
    """A worker's next message; an error if it has died."""
    try:
        message: Message = worker.messages.recv()
    except EOFError as error:
        worker.process.join()
        raise WorkerFailed(
            f"the worker on {worker.device} ended with code {worker.process.exitcode}; "
            "what is finished is kept, so run the same command again, with fewer --devices "
            "if memory ran out"
        ) from error
    return message

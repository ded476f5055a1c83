"""The loop that feeds a model: the only code that knows batches, workers, copies and autocast.

Worker threads read, decode and resize (Pillow lets go of Python's lock while it works), one more
thread stacks finished batches into pinned memory, and the caller's thread only feeds the device.
Batches are cut by position and never refilled, so the same images always meet in the same batch.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from PIL import Image

from prompt_ensemble.core.errors import OutOfMemory
from prompt_ensemble.core.outputs import Outputs, join
from prompt_ensemble.members.contract import Batch, OpenedModel
from prompt_ensemble.models.device import Placement, release

Views = tuple[torch.Tensor, ...]
_BATCHES_AHEAD = 2
"""Batches being prepared while one is on a GPU. A CPU is better off doing one thing at a time: its
model already uses every core, and each of its steps would wait for the core a reader has taken."""


class _Loadable(Protocol):
    """An image with an id."""

    @property
    def image_id(self) -> str:
        """The image's id."""

    def load(self) -> Image.Image:
        """The picture as RGB."""


def run_batches(
    opened: OpenedModel,
    images: Sequence[_Loadable],
    placement: Placement,
    batch_size: int,
    workers: int | None = None,
    needed: Mapping[str, Outputs] | None = None,
) -> Iterator[Outputs]:
    """Outputs of every batch, in order; out of memory halves what goes through at once."""
    at_once = batch_size
    for batch in _prepared_batches(opened, images, placement, batch_size, workers):
        batch = replace(batch, needed=needed or {})
        outputs, at_once = _run_within_memory(opened, batch, placement, at_once)
        yield outputs


def _prepared_batches(
    opened: OpenedModel,
    images: Sequence[_Loadable],
    placement: Placement,
    batch_size: int,
    workers: int | None,
) -> Iterator[Batch]:
    """Batches stacked on the host, a few ahead of whoever consumes them."""
    cuts = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
    if not opened.reads_pixels:
        yield from (Batch(tuple(image.image_id for image in cut)) for cut in cuts)
        return
    ahead = _BATCHES_AHEAD if placement.on_gpu else 0
    readers = ThreadPoolExecutor(workers or min(16, os.cpu_count() or 1))
    stacker = ThreadPoolExecutor(1)
    waiting: deque[Future[Batch]] = deque()
    try:
        for cut in cuts:
            read = [readers.submit(_read, opened, image) for image in cut]
            waiting.append(stacker.submit(_stack, cut, read, placement.on_gpu))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        readers.shutdown(cancel_futures=True)
        stacker.shutdown(cancel_futures=True)


def _of_batch(needed: Mapping[str, Outputs], image_ids: Sequence[str]) -> dict[str, Outputs]:
    """What other members made of the images of a batch."""
    return {name: outputs.take(image_ids) for name, outputs in needed.items()}


def _read(opened: OpenedModel, image: _Loadable) -> Views:
    """An image as the model's tensors; runs in a worker."""
    return opened.prepare(image.load())


def _stack(images: Sequence[_Loadable], read: Sequence[Future[Views]], pin: bool) -> Batch:
    """Wait for the images of a batch and lay each view side by side."""
    rows = [future.result() for future in read]
    # By NumPy, in this thread alone: torch would start OpenMP threads of this thread's own, which
    # leave those of the model waiting and so halve its speed on a CPU.
    views = tuple(
        torch.from_numpy(np.stack([tensor.numpy() for tensor in view]))
        for view in zip(*rows, strict=True)
    )
    if pin:
        views = tuple(view.pin_memory() for view in views)
    return Batch(tuple(image.image_id for image in images), views)


def _run_within_memory(
    opened: OpenedModel, batch: Batch, placement: Placement, at_once: int
) -> tuple[Outputs, int]:
    """Outputs of a batch, ``at_once`` images at a time; half as many when memory runs out."""
    parts: list[Outputs] = []
    done = 0
    while done < len(batch.image_ids):
        part = _try_run(opened, batch, placement, slice(done, done + at_once))
        if part is not None:
            parts.append(part)
            done += len(part)
        elif at_once == 1:
            raise OutOfMemory(
                f"{placement} has no room for a single image of {type(opened).__name__}; "
                "use a smaller model, --precision bf16 or fp16, or --device cpu"
            )
        else:
            at_once = max(1, min(at_once, len(batch.image_ids)) // 2)
            release(placement)
    return join(parts), at_once


def _try_run(
    opened: OpenedModel, batch: Batch, placement: Placement, part: slice
) -> Outputs | None:
    """Outputs of part of a batch, or None if the device has no room for it."""
    try:
        with torch.inference_mode(), placement.autocast():
            views = tuple(
                view[part].to(placement.device, non_blocking=True) for view in batch.views
            )
            ids = batch.image_ids[part]
            return opened.run(Batch(ids, views, _of_batch(batch.needed, ids)))
    except torch.OutOfMemoryError:
        return None
    except RuntimeError as error:
        if "can't allocate memory" in str(error):  # the CPU allocator has no class of its own
            return None
        raise

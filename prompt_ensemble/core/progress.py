"""Progress of long work: the library counts, the caller decides what is shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], object]


class Progress(Protocol):
    """Opens a stage of ``total`` steps and gives a function that is called with the steps done."""

    def __call__(
        self, stage: str, total: int, unit: str = "image"
    ) -> AbstractContextManager[Advance]:
        """The stage, shown until the context ends."""


@contextmanager
def silent(stage: str, total: int, unit: str = "image") -> Iterator[Advance]:
    """Shows nothing."""
    yield lambda steps: None


@contextmanager
def bar(stage: str, total: int, unit: str = "image") -> Iterator[Advance]:
    """A bar with rate and time left on a terminal; a line every ten seconds elsewhere."""
    from tqdm import tqdm

    interval = 0.1 if sys.stderr.isatty() else 10
    shown = {"unit": f" {unit}s", "mininterval": interval, "dynamic_ncols": True}
    with tqdm(total=total, desc=stage, **shown) as counter:
        yield counter.update

"""Progress of long work: the library only counts, whoever calls it decides what is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], object]


class Progress(Protocol):
    """Opens a stage of so many steps; what it gives is called with the steps just done."""

    def __call__(
        self, stage: str, total: int, unit: str = "image"
    ) -> AbstractContextManager[Advance]:
        """A context in which the stage is shown."""


@contextmanager
def silent(stage: str, total: int, unit: str = "image") -> Iterator[Advance]:
    """Shows nothing."""
    yield lambda steps: None


@contextmanager
def bar(stage: str, total: int, unit: str = "image") -> Iterator[Advance]:
    """A bar with rate and time left on a terminal; a line every ten seconds elsewhere."""
    import sys

    from tqdm import tqdm

    interval = 0.1 if sys.stderr.isatty() else 10
    shown = {"unit": f" {unit}s", "mininterval": interval, "dynamic_ncols": True}
    with tqdm(total=total, desc=stage, **shown) as counter:
        yield counter.update

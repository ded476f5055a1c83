"""An image that may become a pair, and what was found beside it; nothing of it is read yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

Record = Mapping[str, object]


@dataclass(frozen=True)
class SideInformation:
    """What lies beside an image."""

    record: Record | None = None
    """Its row in an index file or a table."""
    chosen: bool = False
    """Whether the user named that index, which then counts more than the image's own texts."""
    sidecar: str = ""
    """The text of its file of the same name."""
    sidecar_record: Record | None = None


@dataclass(frozen=True)
class Candidate:
    """An image by its name within its source."""

    name: str
    read: Callable[[], bytes]
    """Its bytes, or ``UnreadableImage``."""
    side_information: Callable[[], SideInformation]


class Source(Protocol):
    """Images in a fixed order, of which any stretch can be read again."""

    @property
    def name(self) -> str:
        """What the table calls it; the same wherever it lies."""

    @property
    def fingerprint(self) -> str:
        """Changes when files are added, taken away, or written again."""

    def __len__(self) -> int:
        """How many images there may be."""

    def candidates(self, first: int, last: int) -> Iterator[Candidate]:
        """Those from ``first`` up to ``last``."""

"""The images that a list of prompts asks for: each with its number, its seed, its place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice

from prompt_ensemble.core.errors import BadConfig

_A_FOLDER = 1000
"""Images in each folder; file systems and people grow slow over more."""


@dataclass(frozen=True)
class Drawing:
    """One image to be made."""

    number: int
    """Counted from 0 over all prompts and their copies."""
    prompt: str
    seed: int

    @property
    def name(self) -> str:
        """Its path without suffix; it knows the prompt, so that a changed list finds no old one."""
        digest = hashlib.sha256(self.prompt.encode()).hexdigest()[:8]
        return f"{self.number // _A_FOLDER:06}/{self.number:09}-{digest}"


@dataclass(frozen=True)
class Part:
    """A share of the work, numbered from 0."""

    number: int = 0
    of: int = 1

    def within(self, other: Part) -> Part:
        """This share of another share."""
        return Part(other.number + other.of * self.number, other.of * self.of)


def parse_part(text: str) -> Part:
    """``2/4`` is the second of four."""
    number, slash, of = text.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise BadConfig(f"part {text!r} makes no sense; expected one such as 2/4, from 1/4 to 4/4")
    return Part(int(number) - 1, int(of))


def drawings_of(prompts: Iterable[str], seed: int, copies: int) -> Iterator[Drawing]:
    """What is to be made, in order.

    A seed comes from the run's seed and the image's number alone, so that an image depends neither
    on its batch nor on who makes it, and longer lists begin as shorter ones do.
    """
    for place, prompt in enumerate(prompts):
        for number in range(place * copies, (place + 1) * copies):
            yield Drawing(number, prompt, _seed_of(seed, number))


def batches_of(drawings: Iterator[Drawing], size: int, part: Part) -> Iterator[list[Drawing]]:
    """Every so many drawings, cut by number, so that each has the same row in every run."""
    for number in count():
        batch = list(islice(drawings, size))
        if not batch:
            return
        if number % part.of == part.number:
            yield batch


def _seed_of(seed: int, number: int) -> int:
    """32 bits, as the tools of Stable Diffusion write and read them."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{number}".encode()).digest()[:4], "big")

"""What a run would take: every member looks at a few images, and is measured while it does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from prompt_ensemble.core.embeddings import Encode
from prompt_ensemble.images.survey import Album
from prompt_ensemble.run.deadline import now
from prompt_ensemble.run.ensemble import Member
from prompt_ensemble.run.member_run import MemberResult, MemberRun, Run, result_of

BATCHES = 3
"""Batches of a probe; the first warms up and is not counted."""


@dataclass(frozen=True)
class Expected:
    """One member's cost."""

    member: str
    load_seconds: float
    seconds_per_image: float
    peak_memory: int
    """Bytes on the GPU, or of the whole process elsewhere; 0 where unknown."""

    def seconds(self, images: int) -> float:
        """For so many images, loading included."""
        return self.load_seconds + self.seconds_per_image * images


def plan(members: Sequence[Member], album: Album, run: Run, encode: Encode) -> list[Expected]:
    """Measure every member on some of the album; ``run`` should have a store of its own."""
    encode(["a picture"])  # so that loading the encoder is no member's time
    size = max((member.config.batch_size for member in members), default=1) * BATCHES
    some = replace(album, good=album.good[:size])
    results: dict[str, MemberResult] = {}
    costs = []
    for member in members:
        expected, result = measure(member, some, run, encode, results)
        results[member.name] = result
        costs.append(expected)
    return costs


def measure(
    member: Member, album: Album, run: Run, encode: Encode, results: dict[str, MemberResult]
) -> tuple[Expected, MemberResult]:
    """One member over the probe's images, on the watch."""
    beside = {need: results[need] for need in member.predictor.needs()}
    member_run = MemberRun(member, album, run, beside)
    watch = Watch()
    member_run.fill(watch)
    started = time.monotonic()
    result = result_of(member_run, encode)
    embedding = (time.monotonic() - started) / max(len(album.good), 1)
    load = run.store.notes(member.name)["load_seconds"]
    looking = watch.per_image(fallback=float(member_run.seconds().mean()))
    return Expected(member.name, load, looking + embedding, result.peak_memory), result


class Watch:
    """Asked before every batch, it notes the time and how many images are done; it never stops."""

    def __init__(self) -> None:
        self.marks: list[tuple[int, float]] = []

    def __call__(self, done: int, left: int) -> bool:
        self.marks.append((done, now()))
        return False

    def per_image(self, fallback: float) -> float:
        """Seconds an image from the second batch to where the last begins."""
        if len(self.marks) < 3:
            return fallback
        (first, began), (last, ended) = self.marks[1], self.marks[-1]
        return (ended - began) / (last - first)

"""What a run would take: every member is run over a few images and measured."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from prompt_ensemble.core.embeddings import Encode
from prompt_ensemble.images.survey import Album, Sources
from prompt_ensemble.run.deadline import now
from prompt_ensemble.run.ensemble import Ensemble
from prompt_ensemble.run.member_run import MemberResult, MemberRun, Run
from prompt_ensemble.run.members import Member
from prompt_ensemble.run.pipeline import check_album

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


def images_to_measure(members: Sequence[Member]) -> int:
    """How many images every member is measured on, if there are as many."""
    return BATCHES * max((member.config.batch_size for member in members), default=1)


def plan(ensemble: Ensemble, images: Sources) -> list[Expected]:
    """Measure every member of an ensemble on some images."""
    album = ensemble.survey(images)
    check_album(album, None)
    ensemble.encode(["a picture"])  # so that loading the encoder is no member's time
    results: dict[str, MemberResult] = {}
    costs = []
    with ensemble.run() as run:
        for member in ensemble.members:
            expected, result = _measure(member, album, run, ensemble.encode, results)
            results[member.name] = result
            costs.append(expected)
    return costs


def _measure(
    member: Member, album: Album, run: Run, encode: Encode, results: dict[str, MemberResult]
) -> tuple[Expected, MemberResult]:
    """One member over the probe's images, on the watch."""
    needed = {need: results[need] for need in member.predictor.needs()}
    member_run = MemberRun(member, album, run, needed)
    watch = Watch()
    member_run.finish(watch)
    started = time.monotonic()
    result = member_run.result(encode)
    embedding = (time.monotonic() - started) / max(len(album.good), 1)
    load = run.store.notes(member.name)["load_seconds"]
    model = watch.per_image(fallback=float(member_run.seconds().mean()))
    return Expected(member.name, load, model + embedding, result.peak_memory), result


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

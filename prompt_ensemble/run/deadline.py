"""A run that must be done by a given time: what is worth most comes first, what cannot end is left.

Every member is tried on its first shard, which stays in the store, so its speed is known and not
guessed. Members then run in the order of weight per second. One that cannot end in time is not
begun; one that turns out slower is stopped, and what it has made waits for a later run.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from prompt_ensemble.core.embeddings import Encode
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.images.survey import Album
from prompt_ensemble.run.config import RunConfig
from prompt_ensemble.run.ensemble import Member
from prompt_ensemble.run.member_run import MemberResult, MemberRun, Run, Seen, result_of
from prompt_ensemble.run.store import SHARD_IMAGES, Shard, shard_size

DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")
WRITING = 20.0
WRITING_AN_IMAGE = 0.005
"""Seconds kept back for the blend and the files, and for each image; measured ones are a fifth."""
LARGEST_RESERVE = 0.1
"""But never more than this share of the time there is."""

log = logging.getLogger(__name__)


def now() -> float:
    """Seconds on a clock that every process of this machine reads alike."""
    return time.monotonic()


@dataclass(frozen=True)
class Deadline:
    """A moment by which members must have ended, on some clock."""

    ends: float
    clock: Callable[[], float] = now

    def left(self) -> float:
        """Seconds until then."""
        return self.ends - self.clock()

    def before_writing(self, images: int) -> Deadline:
        """An earlier moment, which leaves time to write the results."""
        wanted = WRITING + WRITING_AN_IMAGE * images
        return replace(self, ends=self.ends - min(wanted, LARGEST_RESERVE * max(self.left(), 0)))


@dataclass(frozen=True)
class Pace:
    """How fast a member is, as measured."""

    load: float
    """Seconds until it looks at its first image."""
    image: float
    """Seconds an image, embedding included."""

    def seconds(self, images: int) -> float:
        """Expected time for so many images."""
        return self.load + self.image * images if images else 0.0


@dataclass
class Paced:
    """The members of a run under a deadline: speeds, results so far, and what was left out."""

    members: Mapping[str, Member]
    album: Album
    run: Run
    encode: Encode
    deadline: Deadline
    paces: dict[str, Pace] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    """Images that a member had not looked at when the paces were taken."""
    results: dict[str, MemberResult] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def parse_duration(text: str) -> float:
    """Seconds in ``8h30m``, ``45m``, ``90s`` or ``90``."""
    matched = DURATION.fullmatch(text.strip().replace(" ", ""))
    if not text.strip() or matched is None:
        raise BadConfig(f"{text!r} is no duration; write it as 8h30m, 45m or 90s")
    hours, minutes, seconds = (float(part or 0) for part in matched.groups())
    total = 3600 * hours + 60 * minutes + seconds
    if total <= 0:
        raise BadConfig(f"{text!r} leaves no time; give a deadline that lies ahead")
    return total


def run_until(
    deadline: Deadline, members: Sequence[Member], album: Album, run: Run, encode: Encode
) -> Iterator[Paced]:
    """Members as far as time allows; what there is so far is given out after each."""
    paced = Paced({member.name: member for member in members}, album, run, encode, deadline)
    probe(paced)
    for name in by_worth(paced):
        for part in chain(paced, name):
            if part not in paced.results and part not in paced.skipped:
                run_one(paced, part, for_whom=name)
        yield paced
    if not paced.results:
        yield paced


def probe(paced: Paced) -> None:
    """The first shards of every member, those that others need first; sets the paces."""
    paced.encode(["a picture"])  # so that loading the encoder is no member's time
    covered = to_cover(list(paced.members.values()))
    seen: dict[str, Seen] = {}
    for name, member in paced.members.items():
        needs = member.predictor.needs()
        if any(need not in seen for need in needs):
            skip(paced, name, f"it needs {' and '.join(needs)}")
            continue
        member_run = MemberRun(member, paced.album, paced.run, {n: seen[n] for n in needs})
        first = first_shards(member_run, covered[name])
        member_run.fill(AtTheEnd(paced.deadline), [s for s in first if s in member_run.missing])
        if any(shard in member_run.missing for shard in first):
            skip(paced, name, "time ran out before its first images were done")
            continue
        seen[name] = member_run.seen()
        paced.paces[name] = pace_of(member_run, paced.encode)
        paced.left[name] = member_run.images_left


def to_cover(members: Sequence[Member]) -> dict[str, int]:
    """First images that a member is tried on: a shard of its own, and those of whom it serves."""
    cover: dict[str, int] = {}
    for member in reversed(members):
        size = shard_size(member.config.batch_size)
        own = -(-cover.get(member.name, 1) // size) * size
        cover[member.name] = own
        for need in member.predictor.needs():
            cover[need] = max(cover.get(need, 1), own)
    return cover


def first_shards(member_run: MemberRun, images: int) -> list[Shard]:
    """Shards from the beginning that hold at least so many images, if there are as many."""
    ends = accumulate(len(shard.images) for shard in member_run.shards)
    before = [end - len(s.images) for end, s in zip(ends, member_run.shards, strict=True)]
    return [s for start, s in zip(before, member_run.shards, strict=True) if start < images]


def pace_of(member_run: MemberRun, encode: Encode) -> Pace:
    """Seconds to load and an image, from what the store notes and from embedding one shard."""
    outputs = next(iter(member_run.stored.values()))
    started = time.monotonic()
    member_run.member.predictor.embed(outputs, encode)
    embedding = (time.monotonic() - started) / len(outputs)
    load = member_run.run.store.notes(member_run.member.name).get("load_seconds", 0.0)
    looking = float(member_run.seconds().mean()) / max(1, len(member_run.run.spread))
    return Pace(load, looking + embedding)


@dataclass(frozen=True)
class AtTheEnd:
    """Stops when the deadline has come."""

    deadline: Deadline

    def __call__(self, done: int, left: int) -> bool:
        return self.deadline.left() <= 0


class WhenHopeless:
    """Stops also when, at the speed so far, the work cannot end in time.

    The first batch warms up and does not count, nor does a rate over less than a shard of images.
    """

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.warm: tuple[int, float] | None = None
        """Images and time when the first batch was done."""

    def __call__(self, done: int, left: int) -> bool:
        now = self.deadline.clock()
        if self.warm is None:
            self.warm = (done, now) if done else None
            return self.deadline.left() <= 0
        counted, spent = done - self.warm[0], now - self.warm[1]
        expected = spent / counted * left if counted >= SHARD_IMAGES else 0.0
        return self.deadline.left() <= expected


def by_worth(paced: Paced) -> list[str]:
    """Members with a weight, those that give most of it per second first."""

    def worth(name: str) -> float:
        needed = sum(seconds_left(paced, part) for part in chain(paced, name))
        return paced.members[name].config.weight / max(needed, 1e-9)

    weighted = [name for name in paced.paces if paced.members[name].config.weight]
    return sorted(weighted, key=worth, reverse=True)


def chain(paced: Paced, name: str) -> list[str]:
    """A member after all that it needs."""
    needs = [part for need in paced.members[name].predictor.needs() for part in chain(paced, need)]
    return list(dict.fromkeys([*needs, name]))


def seconds_left(paced: Paced, name: str) -> float:
    """Expected time until a member has looked at every image, from what is left of them."""
    if name in paced.results:
        return 0.0
    return paced.paces[name].seconds(paced.left[name])


def run_one(paced: Paced, name: str, for_whom: str) -> None:
    """One member to its end, or a reason why not."""
    member, deadline = paced.members[name], paced.deadline
    needs = member.predictor.needs()
    if any(need in paced.skipped for need in needs):
        skip(paced, name, f"it needs {' and '.join(needs)}")
        return
    expected = sum(seconds_left(paced, p) for p in chain(paced, for_whom) if p in paced.paces)
    if expected > deadline.left():
        skip(
            paced, name,
            f"it would take {expected:.0f} s and {max(deadline.left(), 0):.0f} s are left",
        )  # fmt: skip
        return
    member_run = MemberRun(
        member, paced.album, paced.run, {need: paced.results[need] for need in needs}
    )
    member_run.fill(WhenHopeless(deadline))
    if member_run.missing:
        skip(paced, name, f"too slow: {member_run.images_left} images were left when it stopped")
        return
    paced.results[name] = result_of(member_run, paced.encode)


def skip(paced: Paced, name: str, reason: str) -> None:
    """Leave a member out, loudly."""
    paced.skipped[name] = reason
    log.warning("member %r is left out: %s", name, reason)


def without(config: RunConfig, finished: Sequence[str]) -> RunConfig:
    """The ensemble of the members that finished; their weights grow to the sum of all.

    Each keeps its share relative to the others, and a prior keeps its share of the whole. A gate
    needs every member it was tuned with, so without one of them fixed weights take its place.
    """
    absent = sorted(member.name for member in config.members if member.name not in finished)
    if not absent:
        return config
    whole = sum(config.blend_weights.values())
    left = sum(weight for name, weight in config.blend_weights.items() if name in finished)
    growth = whole / left if left else 0.0
    kept = tuple(
        replace(member, weight=member.weight * growth)
        for member in config.members
        if member.name in finished
    )
    origin = config.weights_from or f"preset {config.name!r}"
    told = f"{origin}, grown by {growth:.4f} for want of {', '.join(absent)}"
    return replace(config, members=kept, weights_from=told, gate={})

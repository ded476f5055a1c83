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

from prompt_ensemble.core.embeddings import Encode
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.images.survey import Album
from prompt_ensemble.run.member_run import MemberOutputs, MemberResult, MemberRun, Run
from prompt_ensemble.run.members import Member
from prompt_ensemble.run.store import SHARD_IMAGES, shard_size

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")
_WRITING = 20.0
_WRITING_AN_IMAGE = 0.02
"""Seconds kept back for the blend and the files, and for each image, whose picture on the page may
have to be decoded again; measured ones are half, on two busy cores."""
_LARGEST_RESERVE = 0.1
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
        wanted = _WRITING + _WRITING_AN_IMAGE * images
        return replace(self, ends=self.ends - min(wanted, _LARGEST_RESERVE * max(self.left(), 0)))


@dataclass(frozen=True)
class Speed:
    """How fast a member is, as measured."""

    load: float
    """Seconds until its first image."""
    image: float
    """Seconds an image, embedding included."""

    def seconds(self, images: int) -> float:
        """Expected time for so many images."""
        return self.load + self.image * images if images else 0.0


@dataclass
class _TimedRun:
    """The members of a run under a deadline: speeds, results so far, and what was left out."""

    members: Mapping[str, Member]
    album: Album
    run: Run
    encode: Encode
    deadline: Deadline
    speeds: dict[str, Speed] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    """Images that a member had still to do when the speeds were taken."""
    results: dict[str, MemberResult] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def parse_duration(text: str) -> float:
    """Seconds in ``8h30m``, ``45m``, ``90s`` or ``90``."""
    matched = _DURATION.fullmatch(text.strip().replace(" ", ""))
    if not text.strip() or matched is None:
        raise BadConfig(f"{text!r} is no duration; write it as 8h30m, 45m or 90s")
    hours, minutes, seconds = (float(part or 0) for part in matched.groups())
    total = 3600 * hours + 60 * minutes + seconds
    if total <= 0:
        raise BadConfig(f"{text!r} leaves no time; give a deadline that lies ahead")
    return total


def run_until(
    deadline: Deadline, members: Sequence[Member], album: Album, run: Run, encode: Encode
) -> Iterator[_TimedRun]:
    """Members as far as time allows; what there is so far is given out after each."""
    timed = _TimedRun({member.name: member for member in members}, album, run, encode, deadline)
    _probe(timed)
    for name in _by_worth(timed):
        for part in _chain(timed, name):
            if part not in timed.results and part not in timed.skipped:
                _run_member(timed, part, aim=name)
        yield timed
    if not timed.results:
        yield timed


def _probe(timed: _TimedRun) -> None:
    """The first shards of every member, those that others need first; sets the speeds."""
    timed.encode(["a picture"])  # so that loading the encoder is no member's time
    images = _images_to_probe(list(timed.members.values()))
    probed: dict[str, MemberOutputs] = {}
    for name, member in timed.members.items():
        needs = member.predictor.needs()
        if any(need not in probed for need in needs):
            _skip(timed, name, f"it needs {' and '.join(needs)}")
            continue
        member_run = MemberRun(member, timed.album, timed.run, {n: probed[n] for n in needs})
        member_run.finish(_AtTheEnd(timed.deadline), images[name])
        if any(shard in member_run.missing for shard in member_run.first(images[name])):
            _skip(timed, name, "time ran out before its first images were done")
            continue
        probed[name] = member_run.gathered()
        timed.speeds[name] = _speed_of(member_run, timed.encode)
        timed.left[name] = member_run.images_left


def _images_to_probe(members: Sequence[Member]) -> dict[str, int]:
    """How many first images each member is tried on.

    A shard of its own, and as many as the members that need its outputs are tried on. Members
    come after all that they need, so going backwards every need is known before its member.
    """
    wanted: dict[str, int] = {}
    for member in reversed(members):
        size = shard_size(member.config.batch_size)
        own = -(-wanted.get(member.name, 1) // size) * size
        wanted[member.name] = own
        for need in member.predictor.needs():
            wanted[need] = max(wanted.get(need, 1), own)
    return wanted


def _speed_of(member_run: MemberRun, encode: Encode) -> Speed:
    """Seconds to load and an image, from what the store notes and from embedding one shard."""
    outputs = next(member_run.outputs(images=1))
    started = time.monotonic()
    member_run.member.predictor.embed(outputs, encode)
    embedding = (time.monotonic() - started) / len(outputs)
    load = member_run.run.store.notes(member_run.member.name).get("load_seconds", 0.0)
    devices = member_run.run.executor.devices if member_run.run.executor else 1
    return Speed(load, float(member_run.seconds().mean()) / devices + embedding)


@dataclass(frozen=True)
class _AtTheEnd:
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


def _by_worth(timed: _TimedRun) -> list[str]:
    """Members with a weight, those that give most of it per second first."""

    def worth(name: str) -> float:
        needed = sum(_seconds_left(timed, part) for part in _chain(timed, name))
        return timed.members[name].config.weight / max(needed, 1e-9)

    weighted = [name for name in timed.speeds if timed.members[name].config.weight]
    return sorted(weighted, key=worth, reverse=True)


def _chain(timed: _TimedRun, name: str) -> list[str]:
    """A member after all that it needs."""
    needs = [part for need in timed.members[name].predictor.needs() for part in _chain(timed, need)]
    return list(dict.fromkeys([*needs, name]))


def _seconds_left(timed: _TimedRun, name: str) -> float:
    """Expected time until a member has done every image, from what is left of them."""
    if name in timed.results:
        return 0.0
    return timed.speeds[name].seconds(timed.left[name])


def _run_member(timed: _TimedRun, name: str, aim: str) -> None:
    """A member to its end, or a reason why not; ``aim`` is the weighted member it is run for."""
    member, deadline = timed.members[name], timed.deadline
    needs = member.predictor.needs()
    if any(need in timed.skipped for need in needs):
        _skip(timed, name, f"it needs {' and '.join(needs)}")
        return
    expected = sum(_seconds_left(timed, p) for p in _chain(timed, aim) if p in timed.speeds)
    if expected > deadline.left():
        _skip(
            timed, name,
            f"it would take {expected:.0f} s and {max(deadline.left(), 0):.0f} s are left",
        )  # fmt: skip
        return
    member_run = MemberRun(
        member, timed.album, timed.run, {need: timed.results[need] for need in needs}
    )
    member_run.finish(WhenHopeless(deadline))
    if member_run.missing:
        _skip(timed, name, f"too slow: {member_run.images_left} images were left when it stopped")
        return
    timed.results[name] = member_run.result(timed.encode)


def _skip(timed: _TimedRun, name: str, reason: str) -> None:
    """Leave a member out, loudly."""
    timed.skipped[name] = reason
    log.warning("member %r is left out: %s", name, reason)

"""Checks in a row, each with its share of the time; what goes wrong in one is only a row."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

PASSED, FAILED, STATED = "passed", "failed", "stated"
NOT_RUN, LATE, BROKEN = "not run", "out of time", "error"
BAD = (FAILED, BROKEN)
"""Outcomes that mean something is wrong with the package, or with the check itself."""
LONGEST = 300


@dataclass(frozen=True)
class Found:
    """What came of one check; ``stated`` is a figure that nobody has promised."""

    outcome: str
    detail: str = ""
    figures: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One line of the report."""

    part: str
    check: str
    what: str
    outcome: str
    detail: str = ""
    figures: Mapping[str, float | str] = field(default_factory=dict)
    seconds: float = 0.0


Steps = Iterator[tuple[str, Callable[[], Found]]]
"""What will be checked, by name, and the check."""


@dataclass(frozen=True)
class Check:
    """One or several things to look at, one after another, as long as there is time."""

    part: str
    name: str
    steps: Callable[[], Steps]
    share: float = 1.0
    """Of the time that is left, beside the shares of the checks to come."""

    def row(self, what: str, found: Found, seconds: float = 0.0) -> Row:
        """A finding as a line of the report."""
        return Row(self.part, self.name, what, found.outcome, found.detail, found.figures, seconds)


def verdict(good: bool, detail: str = "", **figures: float | str) -> Found:
    """Passed or failed."""
    return Found(PASSED if good else FAILED, detail, figures)


def run_checks(
    checks: Sequence[Check], ends: float, clock: Callable[[], float] = time.monotonic
) -> Iterator[Row]:
    """Rows of all checks until ``ends``; what a quick check leaves of its time others may use."""
    for number, check in enumerate(checks):
        whole = sum(later.share for later in checks[number:])
        stop = clock() + max(0.0, ends - clock()) * check.share / whole
        yield from run_one(check, stop, clock)


def run_one(check: Check, stop: float, clock: Callable[[], float]) -> Iterator[Row]:
    """Rows of one check; each thing that no time is left for has one too."""
    if clock() >= stop:
        yield check.row("", Found(LATE))
        return
    try:
        began = clock()
        for what, look in check.steps():
            found = Found(LATE) if clock() >= stop else tried(look)
            yield check.row(what, found, clock() - began)
            began = clock()
    except Exception as error:
        yield check.row("", explain(error))


def tried(look: Callable[[], Found]) -> Found:
    """A finding, whatever happens."""
    try:
        return look()
    except Exception as error:
        return explain(error)


def explain(error: Exception) -> Found:
    """A failure in one line; a package that is not installed is no failure."""
    reason = " ".join(f"{error}".split())[:LONGEST]
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, ModuleNotFoundError) and cause.name:
        return Found(NOT_RUN, f"package missing: {cause.name}")
    if "pip install" in reason:
        return Found(NOT_RUN, f"package missing: {reason}")
    return Found(BROKEN, f"{type(error).__name__}: {reason}")

"""Who is compared: captioners by name, each with one run or with a run for every seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prompt_ensemble.core.errors import BadConfig

_FEWEST, _MOST = 2, 5


@dataclass(frozen=True)
class Run:
    """One set of captions: a captioner that says them now, or a table of what it has said."""

    name: str
    """Unique, and fit for a folder."""
    source: str
    """A captioner's kind, name or folder; or the table's path."""
    is_table: bool = False


@dataclass(frozen=True)
class Contender:
    """What is compared under one name; several runs are the same training with other seeds."""

    name: str
    runs: tuple[Run, ...]


def parse_contenders(models: Sequence[str], tables: Sequence[str]) -> tuple[Contender, ...]:
    """Contenders from ``NAME=CAPTIONER`` and ``NAME=FILE``, in the order given."""
    given: dict[str, list[tuple[str, bool]]] = {}
    for pair, is_table in [(pair, False) for pair in models] + [(pair, True) for pair in tables]:
        name, equals, source = pair.partition("=")
        if not equals or not source:
            raise BadConfig(f"{pair!r} is not NAME=CAPTIONER or NAME=FILE, such as git=runs/git")
        given.setdefault(_checked(name), []).append((source, is_table))
    if not _FEWEST <= len(given) <= _MOST:
        raise BadConfig(
            f"{len(given)} captioners are named; expected {_FEWEST} to {_MOST} different names, "
            "each with --model NAME=CAPTIONER or --captions NAME=FILE; runs of one name are seeds"
        )
    return tuple(Contender(name, _runs(name, sources)) for name, sources in given.items())


def _runs(name: str, sources: Sequence[tuple[str, bool]]) -> tuple[Run, ...]:
    """The runs of one name, numbered if there are several."""
    twice = {source for source, _ in sources if [s for s, _ in sources].count(source) > 1}
    if twice:
        raise BadConfig(f"{name} names {min(twice)!r} twice; a run counts once, so leave one out")
    if len(sources) == 1:
        return (Run(name, *sources[0]),)
    return tuple(Run(f"{name}-{n}", *source) for n, source in enumerate(sources, 1))


def _checked(name: str) -> str:
    """The name, if a folder can be named after it."""
    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise BadConfig(f"captioner name {name!r} must be letters, digits, '-', '_' or '.'")
    return name

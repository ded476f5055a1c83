"""The page of a gathered set: counts, and some of its images with their prompts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prompt_ensemble.core.html import render
from prompt_ensemble.data.gathering.options import GatherOptions
from prompt_ensemble.data.gathering.statistics import Counts, Statistics
from prompt_ensemble.data.gathering.writing import LISTING
from prompt_ensemble.images.decode import load_image
from prompt_ensemble.images.thumbnails import Size, data_address

SHOWN = 48
"""Images on the page, evenly spread over the set."""
_SIZE = Size(256, 75)


@dataclass(frozen=True)
class _Bar:
    """A count, and its share of the largest, in percent."""

    name: str
    count: int
    share: float


@dataclass(frozen=True)
class _Card:
    """An image of the set."""

    thumbnail: str
    prompt: str
    original: str
    facts: str


def page(title: str, found: Statistics, options: GatherOptions, out: Path) -> str:
    """The whole page."""
    return render(
        "prompt_ensemble.data.gathering",
        "page.html",
        title=title,
        found=found,
        licence=options.licence or "not said",
        tables=[(name, _bars(counts)) for name, counts in found.tables().items() if counts],
        cards=list(_cards(out, found.kept)),
    )


def _bars(counts: Counts) -> list[_Bar]:
    largest = max(count for _, count in counts)
    return [_Bar(name, count, round(100 * count / largest, 1)) for name, count in counts]


def _cards(out: Path, kept: int) -> Iterator[_Card]:
    """Pairs at even distances, from the listing."""
    wanted = {place * kept // SHOWN for place in range(SHOWN)} if kept > SHOWN else None
    with (out / LISTING).open(encoding="utf-8") as listing:
        for number, line in enumerate(listing):
            if wanted is None or number in wanted:
                pair = json.loads(line)
                picture = data_address(load_image(out / pair["image"]), _SIZE)
                known = (pair.get(name, "") for name in ("tool", "model", "name", "language"))
                original = pair["original"] if pair["original"] != pair["prompt"] else ""
                facts = " · ".join(text for text in known if text)
                yield _Card(picture, pair["prompt"], original, facts)

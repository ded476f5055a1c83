"""What a gathered set is like, counted while it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from prompt_ensemble.core.text_faults import words
from prompt_ensemble.data.gathering.row import Row

_UNKNOWN = "not said"
_SHOWN = 15
_LENGTHS = ((1, 5), (6, 10), (11, 20), (21, 40), (41, 80), (81, 160))
_SIDES = ((1, 255), (256, 511), (512, 767), (768, 1023), (1024, 2047))
_SHORTEST_WORD = 3
_COMMON = frozenset(
    ("the", "and", "with", "for", "from", "its", "his", "her", "that", "this", "are", "into")
)

Counts = list[tuple[str, int]]


@dataclass
class Statistics:
    """Counters over all rows; those of prompts and images are over the pairs kept."""

    images: int = 0
    kept: int = 0
    near_images: int = 0
    repeated_prompts: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    tools: Counter[str] = field(default_factory=Counter)
    certainties: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    samplers: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    unsafe: Counter[str] = field(default_factory=Counter)
    lengths: Counter[str] = field(default_factory=Counter)
    sides: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    """How many prompts hold each word."""

    def add(self, row: Row) -> None:
        """One more row."""
        self.images += 1
        if row.left_out:
            self.left_out[row.left_out] += 1
            return
        self.kept += 1
        self.sources[row.source] += 1
        self.tools[row.tool or _UNKNOWN] += 1
        self.certainties[row.certainty] += 1
        self.models[row.model or _UNKNOWN] += 1
        self.samplers[row.sampler or _UNKNOWN] += 1
        self.languages[row.language] += 1
        self.unsafe.update(row.unsafe.split(", ") if row.unsafe else ())
        said = words(row.prompt)
        self.lengths[_range_of(len(said), _LENGTHS)] += 1
        self.sides[_range_of(max(row.width, row.height), _SIDES)] += 1
        self.words.update({word for word in said if _is_telling(word)})

    def tables(self) -> dict[str, Counts]:
        """Every counter by its heading, the largest count first, ranges in their order."""
        return {
            "Left out": _most(self.left_out),
            "Sources": _most(self.sources),
            "Tools": _most(self.tools),
            "How sure the prompts are": _most(self.certainties),
            "Models": _most(self.models),
            "Samplers": _most(self.samplers),
            "Languages": _most(self.languages),
            "Words of a prompt": _in_order(self.lengths, _LENGTHS),
            "Longer side, in pixels": _in_order(self.sides, _SIDES),
            "Commonest words": _most(self.words),
            "Unsafe words": _most(self.unsafe),
        }

    def as_record(self) -> dict[str, object]:
        """For the manifest."""
        return {
            "images": self.images,
            "kept": self.kept,
            "left_out": dict(_most(self.left_out)),
            "near_duplicate_images": self.near_images,
            "images_whose_prompt_came_before": self.repeated_prompts,
            "tools": dict(_most(self.tools)),
            "certainty": dict(_most(self.certainties)),
            "languages": dict(_most(self.languages)),
        }


def _most(counter: Counter[str]) -> Counts:
    """The largest counts; of equal ones the first in the alphabet."""
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]


def _in_order(counter: Counter[str], ranges: Iterable[tuple[int, int]]) -> Counts:
    names = [f"{low} to {high}" for low, high in ranges]
    names.append(_beyond(ranges))
    return [(name, counter[name]) for name in names if counter[name]]


def _range_of(value: int, ranges: Iterable[tuple[int, int]]) -> str:
    return next((f"{low} to {high}" for low, high in ranges if value <= high), _beyond(ranges))


def _beyond(ranges: Iterable[tuple[int, int]]) -> str:
    return f"{max(high for _, high in ranges) + 1} and more"


def _is_telling(word: str) -> bool:
    return len(word) >= _SHORTEST_WORD and word not in _COMMON and not word.isdigit()

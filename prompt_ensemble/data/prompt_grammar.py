"""Prompts out of shapes and word lists: no model, and as many as one likes."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from prompt_ensemble.core.errors import BadConfig, nearest_name
from prompt_ensemble.core.records import read_toml
from prompt_ensemble.data.phrase_lists import load_phrases

_SHAPES = "shapes"
_SLOT = re.compile(r"\{(\w+)\}")
_PHRASE_LISTS = {
    "medium": "mediums", "movement": "movements", "artist": "artists", "flavor": "flavors",
}  # fmt: skip
"""Slots that words of clip-interrogator fill, and the names of its lists."""
_A_BEFORE_VOWEL = re.compile(r"\ba (?=[aeiou])(?!(?:uni(?!n|m)|use|usu|eu|one\b|once\b))", re.I)
"""Where "a" reads "an": before a vowel that is spoken as one."""


@dataclass(frozen=True)
class Grammar:
    """What prompts are made of."""

    shapes: tuple[str, ...]
    lists: Mapping[str, tuple[str, ...]]

    @property
    def sentences(self) -> int:
        """How many prompts there are."""
        total = 0
        for shape in self.shapes:
            ways = 1
            for slot in _SLOT.findall(shape):
                ways *= len(self.lists[slot])
            total += ways
        return total


def load_grammar(file: Path | None = None) -> Grammar:
    """The package's grammar, with what a file of the user's says in place of its own."""
    own = Path(str(resources.files("prompt_ensemble") / "data" / "prompt_grammar.toml"))
    table = read_toml(own, "a grammar of prompts")
    if file:
        table |= read_toml(file, "a grammar of prompts: lists of texts, and shapes with {list}")
    where = str(file or own)
    lists = {name: _texts(value, name, where) for name, value in table.items()}
    shapes = lists.pop(_SHAPES)
    slots = {slot for shape in shapes for slot in _SLOT.findall(shape)}
    for slot in sorted(slots - lists.keys()):
        if slot not in _PHRASE_LISTS:
            known = [*lists, *_PHRASE_LISTS]
            raise BadConfig(f"{where}: no list is named {slot!r}; {nearest_name(slot, known)}")
        lists[slot] = load_phrases(_PHRASE_LISTS[slot]).phrases
    return Grammar(shapes, lists)


def grammar_prompts(grammar: Grammar, seed: int) -> Iterator[str]:
    """Prompts without end, shapes drawn alike; the same seed gives the same ones."""
    chance = random.Random(seed)

    def word(slot: re.Match[str]) -> str:
        return chance.choice(grammar.lists[slot[1]])

    while True:
        said = _SLOT.sub(word, chance.choice(grammar.shapes))
        yield _A_BEFORE_VOWEL.sub(lambda match: f"{match[0].rstrip()}n ", said)


def _texts(value: Any, name: str, where: str) -> tuple[str, ...]:
    if not (isinstance(value, list) and value and all(isinstance(text, str) for text in value)):
        raise BadConfig(f"{where}: {name} must be a list of texts that is not empty")
    return tuple(value)

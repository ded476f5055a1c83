"""When two prompts are the same prompt: letters, spaces and commas put into one shape."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_SPACED_COMMAS = re.compile(r"\s*,[\s,]*")
_EDGES = " ,.;:"


def normalise(prompt: str) -> str:
    """The key under which a prompt is an exact duplicate; never what is embedded or written."""
    text = unicodedata.normalize("NFKC", prompt).casefold()
    return " ".join(_SPACED_COMMAS.sub(", ", text).split()).strip(_EDGES)


def first_of_each(prompts: Iterable[str]) -> list[int]:
    """For each prompt the place of the first one that is the same; its own if it is the first."""
    first: dict[str, int] = {}
    return [first.setdefault(normalise(prompt), place) for place, prompt in enumerate(prompts)]

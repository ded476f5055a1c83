"""What the writer learns to write: prompts made plain, whole and in part."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

_PARAMETERS = re.compile(r"(?:(?:^|\s)--\w+\b.*$)|(?:<[^>]*>)|(?:https?://\S+)|(?:::\s*-?[\d.]+)")
_WEIGHT = re.compile(r":\s*-?\d+(?:\.\d+)?(?=[)\]])")
_BRACKETS = re.compile(r"[\[\](){}|\\*_~^=#@<>\"“”]+")
_BLANKS = re.compile(r"\s+")
_MARKS = re.compile(r"\s*([,.;:!?])[\s,.;:!?]*")
_ALLOWED = re.compile(r"[a-z0-9 ,.;:!?'&/+%$-]+")
_TYPOGRAPHY = str.maketrans({"’": "'", "‘": "'", "–": "-", "—": ",", "，": ",", "\u2061": ""})
_FEWEST_WORDS, _MOST_WORDS = 2, 40


def plain_prompt(text: str) -> str:
    """A prompt in lower case without weights, brackets, parameters and addresses.

    Empty where nothing is left that reads like one: other alphabets, single words, repetition.
    """
    text = _without_accents(text.lower().translate(_TYPOGRAPHY))
    text = _BRACKETS.sub(" ", _WEIGHT.sub("", _PARAMETERS.sub(" ", text)))
    text = _MARKS.sub(r"\1 ", _BLANKS.sub(" ", text)).strip(" ,.;:!?-/&+'").replace(" 's", "'s")
    words = text.split()
    if not _ALLOWED.fullmatch(text) or len(words) < _FEWEST_WORDS:
        return ""
    if len(words) > 6 and len(set(words)) < 0.6 * len(words):
        return ""
    return text


def _without_accents(text: str) -> str:
    """Letters without the marks above and below them."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(part for part in parts if not unicodedata.combining(part))


def plain_prompts(lines: Iterable[str]) -> list[str]:
    """Distinct plain prompts in their order."""
    shortened = (shorten(plain_prompt(line)) for line in lines)
    return list(dict.fromkeys(text for text in shortened if text))


def shorten(text: str) -> str:
    """The first parts of a prompt, as many as a writer has room for."""
    words = text.split()
    if len(words) <= _MOST_WORDS:
        return text
    cut = " ".join(words[:_MOST_WORDS])
    ends = [cut.rfind(", "), cut.rfind(". "), cut.rfind("; ")]
    return cut[: max(ends)].strip() if max(ends) > len(cut) // 2 else cut


def variants(prompts: Sequence[str], count: int, seed: int) -> Iterator[str]:
    """Further prompts: parts of each left out, the first kept, at random but always the same."""
    chance = random.Random(seed)
    for prompt in prompts:
        first, *others = prompt.split(", ")
        for _ in range(count):
            kept = [part for part in others if chance.random() < chance.choice((0.2, 0.5, 0.8))]
            if len(kept) < len(others):
                yield ", ".join([first, *kept])

"""What is wrong with a text on the face of it: it says nothing, stutters, or holds debris.

Words are runs of letters and digits in lower case, so that spelling and commas make no difference.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_WORD = re.compile(r"\w+(?:['’]\w+)*")
_LONGEST_STUTTER = 4
"""Words in the longest phrase that counts as said twice in a row."""
_PHRASE = 4
"""Words in a phrase that may be said only once, wherever."""
_DEBRIS = re.compile(
    r"\ufffd"  # bytes that were no character
    r"|##\w"  # a WordPiece that was not joined
    r"|\[(?:UNK|PAD|CLS|SEP|MASK)\]"
    r"|<(?:unk|pad|s|/s|\|[^|<>]*\|)>"
)
_WHITE_SPACE = "\t\n\r"
_NO_CHARACTERS = ("Cc", "Cs")
"""Unicode's categories of control characters and of halves of characters."""


def words(text: str) -> list[str]:
    """The words of a text in lower case, without what stands between them."""
    return _WORD.findall(text.lower())


def is_empty(text: str) -> bool:
    """Whether a text has no word at all."""
    return not words(text)


def is_repetitive(text: str) -> bool:
    """Whether one to four words are said twice in a row, or any four words twice."""
    said = words(text)
    stutters = any(_stutters(said, length) for length in range(1, _LONGEST_STUTTER + 1))
    phrases = [tuple(said[start : start + _PHRASE]) for start in range(len(said) - _PHRASE + 1)]
    return stutters or len(set(phrases)) < len(phrases)


def is_broken(text: str) -> bool:
    """Whether a text holds what no one writes: torn characters, word pieces, special tokens."""
    return bool(_DEBRIS.search(text)) or any(
        unicodedata.category(character) in _NO_CHARACTERS and character not in _WHITE_SPACE
        for character in text
    )


def is_sound(text: str) -> bool:
    """Whether a text has none of these faults."""
    return not (is_empty(text) or is_broken(text) or is_repetitive(text))


def _stutters(said: Sequence[str], length: int) -> bool:
    """Whether so many words are followed by the same ones."""
    return any(
        said[start : start + length] == said[start + length : start + 2 * length]
        for start in range(len(said) - 2 * length + 1)
    )

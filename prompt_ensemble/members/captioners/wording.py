"""Wording: making a caption read like a prompt, with pure text functions.

Captions are stored as the model wrote them; this happens afterwards, so trying another wording
costs nothing but the sentence encoder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MEDIA = r"(?:picture|photo|photograph|image|close[- ]?up|shot|view|scene)"
_MANNER = r"(?:close[- ]?up |cropped |blurry |black and white )?"
_POINTING = r"(?:there (?:is|are)|this is|it is|it's)"
_OPENING = re.compile(
    rf"^(?:{_POINTING}|(?:an?|the) {_MANNER}{_MEDIA} (?:of|showing|with)) ", re.IGNORECASE
)
_LONGEST_REPEAT = 8
"""Words of the longest phrase whose repetition is looked for."""


@dataclass(frozen=True)
class Wording:
    """Which changes a caption goes through before it is embedded; by default none."""

    strip_openings: bool = False
    """Drop "a picture of", "there is" and the like."""
    drop_repeats: bool = False
    """Say a phrase that the model got stuck on only once."""
    suffix: str = ""
    """Added to the end as it is, e.g. ", fine details, masterpiece"."""


def word(caption: str, wording: Wording) -> str:
    """A caption as it is to be embedded."""
    text = strip_opening(caption) if wording.strip_openings else caption.strip()
    text = drop_repeats(text) if wording.drop_repeats else text
    return text + wording.suffix


def strip_opening(caption: str) -> str:
    """Without leading phrases that say only that this is an image; never leaves nothing."""
    text = caption.strip()
    while (shorter := _OPENING.sub("", text)) != text and shorter:
        text = shorter
    return text


def drop_repeats(caption: str) -> str:
    """Phrases that come twice in a row come once, the longest first: "a b a b c" → "a b c"."""
    words = caption.split()
    for length in range(min(_LONGEST_REPEAT, len(words) // 2), 0, -1):
        words = _drop_repeats_of(length, words)
    return " ".join(words)


def _drop_repeats_of(length: int, words: list[str]) -> list[str]:
    """Without runs of ``length`` words that only repeat the ``length`` words before them."""
    kept: list[str] = []
    position = 0
    while position < len(words):
        phrase = words[position : position + length]
        if len(phrase) == length and _same_words(phrase, kept[-length:]):
            kept[-length:] = phrase  # the later one carries the punctuation that follows
            position += length
        else:
            kept.append(words[position])
            position += 1
    return kept


def _same_words(left: list[str], right: list[str]) -> bool:
    """Whether two phrases say the same, commas and capitals aside."""
    return [plain(word) for word in left] == [plain(word) for word in right]


def plain(word: str) -> str:
    """A word without commas around it and without capitals; a lone comma stays one."""
    return word.strip(",").lower() or word

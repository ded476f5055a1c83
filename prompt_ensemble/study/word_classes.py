"""Each word of a prompt by what it is there for: subject, style, artist, medium, quality."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from prompt_ensemble.core.text_faults import words
from prompt_ensemble.data.phrase_lists import load_phrases
from prompt_ensemble.study.word_lists import CONTENT_CLASSES, NO_CLASS, QUALITY_WORDS, STOP_WORDS

SUBJECT, STYLE, ARTIST, MEDIUM, QUALITY = "subject", "style", "artist", "medium", "quality"
CLASSES = (SUBJECT, STYLE, ARTIST, MEDIUM, QUALITY)
_FLAVORS = 1000
"""Of clip-interrogator's flavors, which come the most frequent first; later ones are of all kinds.
Only those of several words count: single ones, such as "dark" or "night", may be the subject."""
_LONGEST = 6
"""Words of the longest phrase that is looked for."""
_SHORTEST_NAME = 5
"""Letters of an artist's name of one word; shorter ones, such as Ernst's, are words, too."""
_LETTERS = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True)
class Lexicon:
    """Phrases, cut into words, and the class of each."""

    phrases: Mapping[tuple[str, ...], str]

    def classify(self, text: str) -> dict[str, str]:
        """Each distinct word of a text but stop words → its class, as the text uses it first.

        The longest phrase counts: "oil painting" is a medium, "detailed face" a quality and a face.
        """
        said, found, place = words(text), dict[str, str](), 0
        while place < len(said):
            length, kind = self._phrase_at(said, place)
            for word in said[place : place + length]:
                name = stem(word)
                if word not in STOP_WORDS and name not in found:
                    found[name] = kind or _single(word)
            place += length
        return {word: kind for word, kind in found.items() if kind}

    def _phrase_at(self, said: Sequence[str], place: int) -> tuple[int, str]:
        """The longest phrase that begins here: how many words, and its class."""
        for length in range(min(_LONGEST, len(said) - place), 0, -1):
            kind = self.phrases.get(tuple(said[place : place + length]))
            if kind:
                return length, kind
        return 1, ""


def content_words(classified: Mapping[str, str]) -> set[str]:
    """The words of a text that say what is to be seen."""
    return {word for word, kind in classified.items() if kind == SUBJECT}


def stem(word: str) -> str:
    """A word without the s of a plural or an owner, so that "dogs" and "dog's" are "dog"."""
    word = word.replace("’", "'").removesuffix("'s")
    plural = len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is"))
    return word[:-1] if plural else word


def content_classes(prompts: Iterable[str]) -> tuple[str, ...]:
    """The classes of content of which the prompts have a word."""
    said = {word for prompt in prompts for word in words(prompt)}
    classes = tuple(name for name, some in CONTENT_CLASSES.items() if said & some)
    return classes or (NO_CLASS,)


@cache
def usual_lexicon() -> Lexicon:
    """clip-interrogator's artists, media, movements and flavors; the first of these counts."""
    flavors = [flavor for flavor in load_phrases("flavors").phrases[:_FLAVORS] if " " in flavor]
    lists = (
        (STYLE, flavors),
        (STYLE, load_phrases("movements").phrases),
        (MEDIUM, load_phrases("mediums").phrases),
        (ARTIST, load_phrases("artists").phrases),
    )
    found: dict[tuple[str, ...], str] = {}
    for kind, phrases in lists:
        found |= {phrase: kind for text in phrases if (phrase := _phrase(text, kind))}
    return Lexicon(found)


def _phrase(text: str, kind: str) -> tuple[str, ...]:
    """A list's phrase as words; empty if it says nothing, or is only words of quality."""
    said = words(text)
    if kind == MEDIUM:  # "an illustration of"
        said = [word for word in said if word not in STOP_WORDS]
    alone = len(said) == 1 and kind == ARTIST
    if not said or all(word in QUALITY_WORDS or word in STOP_WORDS for word in said):
        return ()
    return () if alone and (len(said[0]) < _SHORTEST_NAME or said[0] == "artist") else tuple(said)


def _single(word: str) -> str:
    """The class of a word that is in no phrase; none of a number."""
    if word in QUALITY_WORDS:
        return QUALITY
    return SUBJECT if _LETTERS.match(word) else ""

"""Which language a prompt is in, by its script and its commonest words: a tag, no translation.

Tags are those of BCP 47. Where only the script is sure, as in lists of names and styles without a
common word, the tag says no more than that: ``und-Latn``.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping

from prompt_ensemble.core.text_faults import words

UNKNOWN = "und"
_LATIN = "Latn"
_SCRIPTS: Mapping[str, str] = {
    "LATIN": _LATIN, "CYRILLIC": "Cyrl", "GREEK": "Grek", "ARABIC": "Arab", "HEBREW": "Hebr",
    "DEVANAGARI": "Deva", "THAI": "Thai", "HANGUL": "Hang", "HIRAGANA": "Kana", "KATAKANA": "Kana",
    "CJK": "Hani",
}  # fmt: skip
"""First words of Unicode's names of letters, and scripts."""
_LANGUAGE_OF_SCRIPT: Mapping[str, str] = {
    "Grek": "el", "Hebr": "he", "Thai": "th", "Hang": "ko", "Kana": "ja", "Hani": "zh",
}  # fmt: skip
"""Scripts that nearly always mean one language."""
_COMMON: Mapping[str, frozenset[str]] = {
    language: frozenset(text.split())
    for language, text in {
        "en": "the of and with by on at from an is in to her his their very through under over",
        "de": "der die das und mit ein eine einer einem im auf von ist vor zum zur den dem über",
        "fr": "le la les une et avec dans sur est des du par au aux qui sous vers très ses",
        "es": "el la los las una y con en del sobre es por para al muy su desde hacia",
        "it": "il lo gli una e con nel nella della di sul sulla è per dal molto suo che",
        "pt": "os uma com em na da dos das sobre é por para ao muito sua pela não uns",
        "nl": "de het een en met op van is voor naar onder zeer zijn haar aan uit bij",
        "pl": "i w z na jest się do przez od dla pod nad oraz jak przy bardzo",
    }.items()
}
_FEWEST = 2
"""Different common words that a language must show; a single one may be a name."""
_MOST_LETTERS = 2_000


def language_of(text: str) -> str:
    """The tag of a text; ``und`` if it has no letter."""
    script = _script(text[:_MOST_LETTERS])
    if script != _LATIN:
        return _LANGUAGE_OF_SCRIPT.get(script, f"{UNKNOWN}-{script}" if script else UNKNOWN)
    said = set(words(text))
    counts = {language: len(said & common) for language, common in _COMMON.items()}
    best = max(counts, key=lambda language: counts[language])
    # Short captions have room for one such word only, and English is what most prompts are in.
    enough = _FEWEST if best != "en" else 1
    return best if counts[best] >= enough else f"{UNKNOWN}-{_LATIN}"


def _script(text: str) -> str:
    """The script of most letters; any kana make a text Japanese, whose nouns are Chinese signs."""
    letters = re.sub(r"[\W\d_]", "", text)
    names = Counter(_script_of(letter) for letter in letters)
    names.pop("", None)
    if not names:
        return ""
    if names["Kana"]:
        names["Kana"] += names["Hani"]
    return max(names, key=lambda name: names[name])


def _script_of(letter: str) -> str:
    return _SCRIPTS.get(unicodedata.name(letter, "").split(" ")[0].split("-")[0], "")

"""Captions and phrases put together as prompts, and cut to what a text tower reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence


def fast_prompt(caption: str, phrases: Sequence[str]) -> str:
    """The caption, then the phrases as they rank."""
    return _with_commas([caption, *phrases])


def classic_prompt(caption: str, phrases_of: Mapping[str, Sequence[str]]) -> str:
    """Caption, medium and artist, site, movement, flavors; lists without a phrase are left out.

    The medium is not repeated where the caption begins with it.
    """
    texts = {name: _with_commas(phrases) for name, phrases in phrases_of.items()}
    medium, artist = texts.get("mediums", ""), texts.get("artists", "")
    if medium and caption.startswith(medium):
        opening = _with_blanks([caption, artist])
    else:
        opening = _with_commas([caption, _with_blanks([medium, artist])])
    return _with_commas(
        [opening, *(texts.get(name, "") for name in ("trendings", "movements", "flavors"))]
    )


def _with_commas(texts: Sequence[str]) -> str:
    """Texts with commas between them."""
    return ", ".join(text for text in texts if text)


def _with_blanks(texts: Sequence[str]) -> str:
    """Texts with blanks between them."""
    return " ".join(text for text in texts if text)


def fit(prompt: str, is_full: Callable[[str], bool]) -> str:
    """As many of the prompt's parts as the context holds; the first part always stays.

    As in clip-interrogator the comma before a part is not counted.
    """
    first, *others = prompt.split(", ")
    fitted = first
    for part in others:
        if is_full(fitted + part):
            break
        fitted += ", " + part
    return fitted

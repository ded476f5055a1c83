"""Words by which a prompt asks for nudity, sex or gore: named beside it, and nothing decided.

A short list of plain words, compared whole. It finds the usual and misses the rest; whoever needs
certainty filters images with a model made for that.
"""

from __future__ import annotations

from prompt_ensemble.core.text_faults import words

_UNSAFE = frozenset((
    "anal", "areola", "bdsm", "beheaded", "blowjob", "bondage", "boobs", "breasts",
    "cleavage", "corpse", "creampie", "cum", "decapitated", "dildo",
    "dismembered", "ejaculation", "erotic", "erotica", "explicit", "fellatio", "fetish",
    "futa", "genitals", "gore", "gory", "handjob", "hentai", "horny", "lewd", "lingerie",
    "loli", "masturbating", "masturbation", "milf", "mutilated", "naked", "nipple",
    "nipples", "nsfw", "nude", "nudes", "nudity", "orgasm", "orgy", "penetration", "penis",
    "porn", "pornographic", "pornography", "pubic", "pussy", "rape", "rule34", "sex",
    "sexual", "sexy", "shota", "slut", "stripper", "suicide", "tits", "topless",
    "undressed", "vagina", "vulva", "whore", "xxx",
))  # fmt: skip


def unsafe_words(text: str) -> tuple[str, ...]:
    """Those that a text holds, in its order, each once."""
    return tuple(dict.fromkeys(word for word in words(text) if word in _UNSAFE))

"""From a prompt as it was typed to its words alone; pure functions, each of one idea.

No rule knows which program a prompt was typed for, so each takes away only what is nobody's
language: weights, tags, switches and markup. Cleaning what is clean changes nothing.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable

LONGEST_PROMPT = 10_000
"""Characters; a longer text is no prompt, and brackets may be nested in it without end."""
_ROUNDS = 20

_TAGS = re.compile(r"<(?:lora|lyco|hypernet|locon|loha|ti|embed|embedding|segment|lorablk|wlr)\b[^<>]*>|\bembedding:[\w.-]+", re.IGNORECASE)  # fmt: skip  # noqa: E501
_HTML = re.compile(r"</?(?:a|b|i|u|p|br|em|strong|span|div|code|img|small|sup|sub|h[1-6]|ul|ol|li)\b[^<>]*>", re.IGNORECASE)  # fmt: skip  # noqa: E501
_LINKS = re.compile(r"!?\[([^\[\]]*)\]\((?:https?://|/|\./)[^()\s]*\)")
_ADDRESSES = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3})(?=\S)([^*\n]+?)(?<=\S)\1(?![\w*])")
_HEADINGS = re.compile(r"^\s*(?:#{1,6}|>)\s+", re.MULTILINE)
_NUMBER = r"-?\d*\.?\d+"
_WILDCARDS = re.compile(r"__[\w/*.-]+?__|~[\w/]+~")
_CHOICE = re.compile(r"[{\[](?:\d+(?:-\d+)?\$\$)?([^{}\[\]|]*)\|[^{}\[\]]*[}\]]")
_WEIGHTED_CHOICE = re.compile(rf"^\s*{_NUMBER}::")
_SCHEDULE = re.compile(rf"\[([^\[\]:]*):(?:([^\[\]:]*):)?\s*{_NUMBER}\s*\]")
_AGAINST = re.compile(r"\([^()]*:\s*-\d*\.?\d+\s*\)|(?<![\d.])-\d*\.?\d+::[^:]*(?:::)?")
_AGAINST_BEFORE = re.compile(r"[^:,]*::\s*-\d*\.?\d+")
_WEIGHT = re.compile(rf":\s*{_NUMBER}\s*(?=[)\]}}])")
_AFTER = re.compile(rf"(?<=[)\]])(?:{_NUMBER}|[+-]+)(?![\w.])|(?<=\w)(?:\++|--+)(?=[\s,.)\]]|$)")
_METHODS = re.compile(r"\.(?:and|blend|swap)\([^()]*\)")
_DOUBLE_COLONS = re.compile(rf"(?<![\w.]){_NUMBER}::|::\s*(?:{_NUMBER})?")
_BRACKETS = str.maketrans("", "", "()[]{}")
_ESCAPES = re.compile(r"\\([()\[\]{}<>:|_*\"'\\-])")
_KEYWORDS = re.compile(r"\b(?:BREAK|ADDCOMM|ADDBASE|ADDCOL|ADDROW)\b")
_BETWEEN = re.compile(r"(?<=\S)\s+AND\s+(?=\S)")
_NEGATIVE = re.compile(r"(?:^|\s)Negative prompt\s*:.*", re.DOTALL | re.IGNORECASE)
_SETTINGS = re.compile(
    r"\s*\bSteps: \d+,.*|\s*\b(?:Sampler|CFG scale|Seed|Model hash): [^,\n]*(?:,|$).*", re.DOTALL
)
_NOT = re.compile(r"(?:^|\s)(?:--|—|–)no\s+[^—–]*?(?=\s(?:--|—|–)\w|$)", re.IGNORECASE)
_SWITCHES = re.compile(
    r"(?:^|\s)(?:--|—|–)(?:ar|aspect|v|version|q|quality|s|stylize|style|seed|chaos|c|niji|iw|w|h|"
    r"uplight|upbeta|hd|test|testp|creative|tile|repeat|r|stop|weird|sref|cref|cw|sw|p|profile|raw|"
    r"steps|cfg|fast|relax|turbo|video|upanime|sameseed|beta)(?:[ =]+(?:[\d.:x]+|raw|random|https?://\S+))*"
    r"(?=\s|$|,)",
    re.IGNORECASE,
)
_OLD_SWITCHES = re.compile(rf"\s-(?:[sSCWHnUGA]|IF)\s?(?:{_NUMBER}|k_\w+|ddim|plms)(?=\s|$)")
_SPACES = re.compile(r"\s+")
_COMMAS = re.compile(r"\s*,[\s,]*")
_STOPS = re.compile(r"\s+(?=[.;!?](?:\s|$))|\s+:(?=\s|$)")
_BLANKS = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\n(?: ?\n)+")
_QUOTED = re.compile(r"^([\"'`])([^\"'`]*)\1$")
_EDGES = " ,;:|/-_*"


def clean_prompt(prompt: str) -> str:
    """The words of a prompt; empty if nothing is left."""
    # Long runs of white space would make the rules below slow, which begin with any of it.
    text = _LINES.sub("\n", _BLANKS.sub(" ", prompt[:LONGEST_PROMPT]))
    for _ in range(_ROUNDS):
        before = text
        for rule in RULES:
            text = rule(text)
        if text == before:
            break
    return text


def without_parameters(text: str) -> str:
    """Without the settings of AUTOMATIC1111, Midjourney's and Stable Diffusion's first switches."""
    return _OLD_SWITCHES.sub(" ", _SWITCHES.sub(" ", _NOT.sub(" ", _SETTINGS.sub(" ", text))))


def without_negative(text: str) -> str:
    """Without what follows the words *Negative prompt*, and parts of negative weight."""
    return _AGAINST.sub(" ", _AGAINST_BEFORE.sub(" ", _NEGATIVE.sub(" ", text)))


def without_markup(text: str) -> str:
    """Without HTML, Markdown and addresses."""
    text = _ADDRESSES.sub(" ", _LINKS.sub(r"\1", _HTML.sub(" ", html.unescape(text))))
    return _HEADINGS.sub("", _EMPHASIS.sub(r"\2", text))


def without_tags(text: str) -> str:
    """Without networks that are called by name: ``<lora:name:0.8>``, ``embedding:name``."""
    return _TAGS.sub(" ", text)


def without_wildcards(text: str) -> str:
    """Without ``__name__``; of ``{one|other}`` the first, since nobody knows which it was."""
    return _CHOICE.sub(lambda found: _WEIGHTED_CHOICE.sub("", found[1]), _WILDCARDS.sub(" ", text))


def without_schedules(text: str) -> str:
    """Of ``[from:to:when]`` what the picture began with."""
    return _SCHEDULE.sub(lambda found: found[1] or found[2] or "", text)


def without_weights(text: str) -> str:
    """Without brackets and the numbers that weigh words, as ``(word:1.2)``, ``word++``, ``::2``."""
    text = _METHODS.sub("", _ESCAPES.sub(r"\1", text))
    text = _AFTER.sub("", _WEIGHT.sub("", text)).translate(_BRACKETS)
    return _DOUBLE_COLONS.sub(", ", text)


def without_keywords(text: str) -> str:
    """Commas in place of BREAK and AND."""
    return _BETWEEN.sub(", ", _KEYWORDS.sub(", ", text))


def tidied(text: str) -> str:
    """One line, one space, one comma; nothing hanging at the ends."""
    text = _SPACES.sub(" ", text)
    text = _STOPS.sub("", _COMMAS.sub(", ", text)).strip(_EDGES)
    return _QUOTED.sub(r"\2", text)


RULES: tuple[Callable[[str], str], ...] = (
    without_parameters, without_negative, without_markup, without_tags, without_wildcards,
    without_schedules, without_weights, without_keywords, tidied,
)  # fmt: skip
"""In this order: tags and schedules hold brackets that weights would take away."""

"""How an image was made, as far as its file or a listing says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from prompt_ensemble.core.records import as_object, parse_json

Certainty = Literal["certain", "likely", "guess"]
"""``certain``: a field for prompts; ``likely``: a caption or description; ``guess``: a name."""
TIERS: Mapping[Certainty, str] = {"certain": "A", "likely": "B", "guess": "C"}
"""The tier of a pair, by how sure its prompt is."""

IMG2IMG = "img2img"
INPAINTING = "inpainting"
CONTROLNET = "ControlNet"
GRID = "grid"
KINDS = (IMG2IMG, INPAINTING, CONTROLNET, GRID)
"""Images whose prompt does not say all that is to be seen; left out unless asked for."""

_NOT_A_LETTER = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Generation:
    """A prompt and what stands with it; texts are empty where nothing is said."""

    prompt: str
    negative: str = ""
    seed: str = ""
    sampler: str = ""
    model: str = ""
    tool: str = ""
    certainty: Certainty = "certain"
    kinds: tuple[str, ...] = ()
    """Those of ``KINDS`` that apply."""


def plain_key(key: str) -> str:
    """A key without case, spaces and underscores, so that ``Negative prompt`` is one key."""
    return _NOT_A_LETTER.sub("", key).lower()


def json_object(text: str) -> dict[str, object] | None:
    """The JSON object in a text, if it is one."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        return as_object(parse_json(text))
    except (ValueError, TypeError):
        return None


def as_text(value: object) -> str:
    """A value of JSON as text: numbers as they are written, nothing for what is no single value."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return json.dumps(value)

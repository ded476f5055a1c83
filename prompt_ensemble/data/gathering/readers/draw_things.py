"""Draw Things: JSON with short keys as EXIF's or XMP's comment, which sd-parsers does not know."""

from __future__ import annotations

from collections.abc import Mapping

from prompt_ensemble.data.gathering.generation import IMG2IMG, Generation, as_text, json_object
from prompt_ensemble.images.embedded_texts import PARAMETERS

_PROMPT, _NEGATIVE = "c", "uc"


def read_draw_things(texts: Mapping[str, str]) -> Generation | None:
    """``c`` is the prompt, ``uc`` what is not wanted; strength below 1 starts from an image."""
    record = json_object(texts.get(PARAMETERS, "")) or {}
    prompt = as_text(record.get(_PROMPT))
    if not prompt or not {_NEGATIVE, "sampler", "model"} & record.keys():
        return None
    strength = record.get("strength", 1)
    drawn_over = isinstance(strength, int | float) and strength < 1
    return Generation(
        prompt=prompt,
        negative=as_text(record.get(_NEGATIVE)),
        seed=as_text(record.get("seed")),
        sampler=as_text(record.get("sampler")),
        model=as_text(record.get("model")),
        tool="Draw Things",
        kinds=(IMG2IMG,) if drawn_over else (),
    )

"""AUTOMATIC1111's chunk without its line of settings, which sd-parsers gives up on.

Scripts write a prompt into ``parameters``, or into a chunk called ``Prompt``, and nothing else.
Whatever else is JSON there is read by its keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from prompt_ensemble.data.gathering.generation import Generation, json_object
from prompt_ensemble.data.gathering.kinds import kinds_in_settings
from prompt_ensemble.data.gathering.prompt_records import read_prompt_record
from prompt_ensemble.images.embedded_texts import PARAMETERS

_CHUNKS = (PARAMETERS, "Prompt", "prompt")
_JSON = re.compile(r"[\[{]*\s*[\[{]\s*\"|[\[{]+$")
_NEGATIVE = re.compile(r"\n?\s*Negative prompt:\s*")
_SETTINGS = re.compile(r"\n?(?:^|\n)\s*(?:Steps: \d+|Sampler: |Seed: \d+|CFG scale: )[^\n]*$")


def read_plain_parameters(texts: Mapping[str, str]) -> Generation | None:
    """The text up to the negative prompt, or the record that it is."""
    text = next((texts[name].strip() for name in _CHUNKS if texts.get(name)), "")
    if _JSON.match(text):  # a prompt may begin with brackets, too
        record = json_object(text)
        generation = read_prompt_record(record) if record else None
        return replace(generation, certainty="likely") if generation else None
    settings = _SETTINGS.search(text)
    said = text[: settings.start()] if settings else text
    prompt, _, negative = (part.strip() for part in _split(said))
    if not prompt:
        return None
    return Generation(
        prompt=prompt,
        negative=negative,
        tool="AUTOMATIC1111" if negative or settings else "",
        certainty="certain" if negative or settings else "likely",
        kinds=kinds_in_settings(settings[0]) if settings else (),
    )


def _split(text: str) -> tuple[str, str, str]:
    """What is wanted, the words between, and what is not wanted."""
    found = _NEGATIVE.search(text)
    return (text[: found.start()], found[0], text[found.end() :]) if found else (text, "", "")

"""SwarmUI: JSON under ``sui_image_params``, which sd-parsers does not know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from prompt_ensemble.data.gathering.generation import Generation, json_object
from prompt_ensemble.data.gathering.prompt_records import read_prompt_record
from prompt_ensemble.images.embedded_texts import PARAMETERS

_PARAMETERS = "sui_image_params"


def read_swarmui(texts: Mapping[str, str]) -> Generation | None:
    """The parameters as a record of a prompt."""
    parameters = (json_object(texts.get(PARAMETERS, "")) or {}).get(_PARAMETERS)
    if not isinstance(parameters, dict):
        return None
    generation = read_prompt_record(parameters)
    return replace(generation, tool="SwarmUI") if generation else None

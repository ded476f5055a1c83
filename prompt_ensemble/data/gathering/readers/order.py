"""All readers of embedded texts, the one that knows most first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from prompt_ensemble.core.records import FAULTS
from prompt_ensemble.data.gathering.generation import Generation, json_object
from prompt_ensemble.data.gathering.readers.comfyui_graph import read_comfyui_graph
from prompt_ensemble.data.gathering.readers.descriptions import read_description
from prompt_ensemble.data.gathering.readers.draw_things import read_draw_things
from prompt_ensemble.data.gathering.readers.known_tools import read_known_tools
from prompt_ensemble.data.gathering.readers.plain_parameters import read_plain_parameters
from prompt_ensemble.data.gathering.readers.swarmui import read_swarmui

_LONGEST_TEXT = 2**16
_RUNS = re.compile(r"(\s{16})\s+")
"""White space beyond what anyone types, in which patterns of the readers would search for long."""
_READERS: tuple[Callable[[Mapping[str, str]], Generation | None], ...] = (
    read_swarmui,
    read_draw_things,
    read_known_tools,
    read_comfyui_graph,
    read_plain_parameters,
    read_description,
)


def read_generation(texts: Mapping[str, str]) -> Generation | None:
    """What the embedded texts of an image say of its making, if any reader finds a prompt."""
    bounded = {name: _RUNS.sub(r"\1", text) for name, text in texts.items() if _is_bounded(text)}
    for read in _READERS:
        try:
            generation = read(bounded)
        except FAULTS:  # JSON with other types where texts should be; another reader may know it
            continue
        if generation is not None and generation.prompt:
            return generation
    return None


def _is_bounded(text: str) -> bool:
    """Whether a text is no longer than prompts and settings are; graphs as JSON may be."""
    return len(text) <= _LONGEST_TEXT or json_object(text) is not None

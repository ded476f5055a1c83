"""The formats that sd-parsers knows: AUTOMATIC1111, Fooocus, ComfyUI, InvokeAI and NovelAI.

Its parsers are called one by one with texts that we have read: its manager opens images with any
decoder that Pillow has, and remembers EXIF by an object's address, which the next image may have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from sd_parsers.data import PromptInfo
from sd_parsers.exceptions import ParserError
from sd_parsers.parsers import MANAGED_PARSERS, Parser

from prompt_ensemble.data.gathering.generation import Generation, as_text
from prompt_ensemble.data.gathering.kinds import kinds_in_record, kinds_in_settings
from prompt_ensemble.images.embedded_texts import PARAMETERS

_FAULTS = (
    ParserError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError,
    RecursionError, AssertionError,
)  # fmt: skip
"""What the parsers raise over texts that are not what they seem, or JSON that is nested deeply."""
_LONGEST_SETTINGS = 2**13
_FORGE = re.compile(r"\bVersion: f\d")


def read_known_tools(texts: Mapping[str, str]) -> Generation | None:
    """The first format that fits and has a prompt."""
    for parser in _parsers():
        try:
            info = parser.parse(dict(texts))
            generation = _generation(info, texts)
        except _FAULTS:
            continue
        if generation.prompt:
            return generation
    return None


@cache
def _parsers() -> tuple[Parser, ...]:
    return tuple(parser() for parser in MANAGED_PARSERS)  # type: ignore[abstract]


def _generation(info: PromptInfo, texts: Mapping[str, str]) -> Generation:
    """What the parser found; several samplers with one prompt say it once."""
    sampler = info.samplers[0]
    tool = str(info.generator.value)
    parameters = texts.get(PARAMETERS, "")
    start = max(0, parameters.rfind("Steps: "))
    settings = parameters[start : start + _LONGEST_SETTINGS]
    kinds = kinds_in_record({**info.metadata, **sampler.parameters})
    if tool == "AUTOMATIC1111":
        kinds = kinds_in_settings(settings)
        tool = "Forge" if _FORGE.search(settings) else tool
    elif tool == "ComfyUI":
        from prompt_ensemble.data.gathering.readers.comfyui_graph import kinds_in_graph

        kinds = kinds_in_graph(texts["prompt"])
    seed = sampler.parameters.get("seed", sampler.parameters.get("noise_seed", ""))
    return Generation(
        prompt=_joined(prompt.value for prompt in info.prompts),
        negative=_joined(prompt.value for prompt in info.negative_prompts),
        seed=as_text(seed),
        sampler=as_text(sampler.name),
        model=as_text(sampler.model.name or sampler.model.hash) if sampler.model else "",
        tool=tool,
        kinds=kinds,
    )


def _joined(prompts: object) -> str:
    """Different prompts after one another."""
    texts = [text.strip() for text in prompts if isinstance(text, str)]  # type: ignore[attr-defined]
    return ", ".join(dict.fromkeys(text for text in texts if text))

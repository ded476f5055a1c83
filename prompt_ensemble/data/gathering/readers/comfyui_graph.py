"""ComfyUI's graph alone: the prompt is found from a sampler's ``positive`` input back to a text.

sd-parsers wants the chunk ``workflow`` beside ``prompt``, for the kinds of links stand there. What
is made through ComfyUI's API has ``prompt`` only, and there this file reads it. It also reads texts
under the names that encoders of SDXL, SD3 and Flux use, and says whether images took part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prompt_ensemble.data.gathering.generation import (
    CONTROLNET,
    IMG2IMG,
    INPAINTING,
    Generation,
    as_text,
    json_object,
)

_POSITIVE, _NEGATIVE = "positive", "negative"
_CONDITIONINGS = (_POSITIVE, "guider", "conditioning")
"""Inputs by which samplers and guiders are told what to draw."""
_TEXTS = ("text", "text_g", "text_l", "clip_g", "clip_l", "t5xxl", "prompt", "string", "value",
          "populated_text", "wildcard_text", "text_positive", _POSITIVE)  # fmt: skip
_NOT_WORDS = frozenset(
    ("clip", "model", "vae", "image", "pixels", "control_net", "latent_image", "samples", "mask",
     "noise", "sigmas", "sampler", "style_model", "clip_vision_output", "ipadapter")
)  # fmt: skip
"""Inputs that lead to other things than the prompt."""
_MODEL_NAMES = ("ckpt_name", "unet_name", "model_name")
_TO_PICTURES = ("latent_image", "samples", "pixels", "image")
_MOST_NODES = 10_000

Graph = Mapping[str, Mapping[str, Any]]


def read_comfyui_graph(texts: Mapping[str, str]) -> Generation | None:
    """The prompt of the first sampler that has one."""
    graph = _graph(texts.get("prompt", ""))
    for node in _samplers(graph):
        prompt = _said(graph, node, _POSITIVE)
        if prompt:
            return Generation(
                prompt=prompt,
                negative=_said(graph, node, _NEGATIVE),
                seed=_first_value(graph, node, ("seed", "noise_seed")),
                sampler=_first_value(graph, node, ("sampler_name",)),
                model=_first_value(graph, node, _MODEL_NAMES),
                tool="ComfyUI",
                kinds=kinds_in_graph(texts["prompt"]),
            )
    return None


def kinds_in_graph(text: str) -> tuple[str, ...]:
    """Whether a control network, a mask or a loaded image takes part."""
    graph = _graph(text)
    classes = " ".join(str(node.get("class_type", "")) for node in graph.values()).lower()
    found = []
    if "controlnetapply" in classes or "ipadapter" in classes:
        found.append(CONTROLNET)
    if "inpaint" in classes or "latentnoisemask" in classes:
        found.append(INPAINTING)
    if any(_starts_from_image(graph, node) for node in _samplers(graph)):
        found.append(IMG2IMG)
    return tuple(found)


def _graph(text: str) -> Graph:
    """The nodes that have inputs, by their names."""
    nodes = json_object(text) or {}
    if len(nodes) > _MOST_NODES:
        return {}
    return {
        name: node
        for name, node in nodes.items()
        if isinstance(node, dict) and isinstance(node.get("inputs"), dict)
    }


def _samplers(graph: Graph) -> Iterator[str]:
    """Nodes that make a latent of a conditioning: they have a sampler's inputs."""
    for name, node in graph.items():
        inputs = node["inputs"]
        told = any(_link(inputs.get(key)) for key in _CONDITIONINGS)
        if told and {"seed", "noise_seed", "sampler_name", "sampler", "noise"} & inputs.keys():
            yield name


def _link(value: object) -> str:
    """The node an input is linked with, or nothing."""
    if isinstance(value, list) and len(value) == 2 and isinstance(value[1], int):
        return as_text(value[0])
    return ""


def _said(graph: Graph, sampler: str, side: str) -> str:
    """All texts that lead to one side of a sampler, in the order of inputs, each once."""
    other = _NEGATIVE if side == _POSITIVE else _POSITIVE
    waiting, seen, texts = [_start(graph, sampler, side)], {sampler}, []
    while waiting:
        name = waiting.pop()
        if name in seen or name not in graph:
            continue
        seen.add(name)
        inputs = {key: value for key, value in graph[name]["inputs"].items() if key != other}
        texts += [as_text(inputs[key]) for key in _TEXTS if isinstance(inputs.get(key), str)]
        links = [_link(value) for key, value in inputs.items() if key not in _NOT_WORDS]
        waiting += [link for link in reversed(links) if link]
    return ", ".join(dict.fromkeys(text for text in texts if text))


def _start(graph: Graph, sampler: str, side: str) -> str:
    """The node that a sampler, or the guider it asks, has on one side."""
    inputs = graph[sampler]["inputs"]
    guider = graph.get(_link(inputs.get("guider")), {"inputs": {}})["inputs"]
    sides = (side, "conditioning") if side == _POSITIVE else (side,)
    links = (_link(node.get(key)) for node in (inputs, guider) for key in sides)
    return next((link for link in links if link), "")


def _first_value(graph: Graph, start: str, names: tuple[str, ...]) -> str:
    """The first input of one of these names, walking back from a node through all links."""
    waiting, seen = [start], set()
    for name in waiting:  # grows while it is walked through
        if name in seen or name not in graph:
            continue
        seen.add(name)
        inputs = graph[name]["inputs"]
        for key in names:
            if as_text(inputs.get(key)):
                return as_text(inputs[key])
        waiting += [link for value in inputs.values() if (link := _link(value))]
    return ""


def _starts_from_image(graph: Graph, sampler: str) -> bool:
    """Whether a sampler's latent comes from an image that was loaded."""
    waiting, seen = [_link(graph[sampler]["inputs"].get("latent_image"))], set()
    for name in waiting:
        if name in seen or name not in graph:
            continue
        seen.add(name)
        node = graph[name]
        if str(node.get("class_type", "")).startswith("LoadImage"):
            return True
        waiting += [_link(node["inputs"].get(key)) for key in _TO_PICTURES]
    return False

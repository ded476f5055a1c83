"""The models that are timed: published sizes, or on a processor the tiny ones of the tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch

from benchmarks import captioners
from benchmarks.gpu_check.models import (
    FLAVORS,
    TINY_VIT,
    WORDS,
    Settings,
    ensemble_of,
    phrase_lists,
    write_clip,
    write_minilm,
    write_tiny_clip,
    write_vit,
    written,
)
from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.members.contract import Batch, OpenedModel
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.sentence_encoder import SentenceEncoder
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.config import MemberConfig
from prompt_ensemble.run.members import make_predictor, open_members

if TYPE_CHECKING:
    from benchmarks.gpu_check.fast import Contender, Stages

CAPTIONERS = {"BLIP-large": "blip", "OFA-large": "ofa", "GIT-large": "git", "CoCa ViT-L": "coca"}
TOWERS = {"CLIP ViT-L/14": "ViT-L-14", "CLIP ViT-H/14": "ViT-H-14"}
VIT, MINILM = "ViT-B/16", "MiniLM"
NAMES = (*CAPTIONERS, VIT, *TOWERS, MINILM)


def make(settings: Settings, name: str) -> Contender:
    """A model of this name, on the device."""
    from benchmarks.gpu_check.fast import Contender

    if name == MINILM:
        return Contender(lambda picture: "a painting of a lighthouse at night, stormy sea, oil on "
                         "canvas, highly detailed", sentences(settings), "texts")  # fmt: skip
    if name in CAPTIONERS:
        captioner = captioner_of(settings, name)
        return Contender(captioner.prepare, partial(caption, captioner, settings.placement))
    opened = vit(settings) if name == VIT else clip(settings, name)
    return Contender(lambda picture: opened.prepare(picture), partial(look, opened, settings))


def captioner_of(settings: Settings, name: str) -> Any:
    """The published size of ``benchmarks/captioners.py``, or the tests' tiny one."""
    kind = CAPTIONERS[name]
    if settings.toy:
        (member,) = open_members(ensemble_of(kind, settings.folder), WeightRoots.usual())
        opened: Any = member.predictor.open(settings.placement)
        return opened.captioner
    if not find_spec(WORDS):
        captioners.bert_words = lambda: captioners.numbers
    key = f"{kind}-large"
    return captioners.contenders(settings.placement, [key])[key]().captioner


def caption(
    captioner: Any, placement: Placement, views: Sequence[torch.Tensor], stages: Stages
) -> object:
    """Captions of a batch; the stages are those of ``benchmarks/captioners.py``."""
    pixels = torch.stack(list(views))
    contender = captioners.Contender("", captioner)
    watch: Any = stages
    return captioners.run(contender, pixels, len(pixels), placement, watch)


def vit(settings: Settings) -> OpenedModel:
    """A regressor with the public kernel's two looks at each image."""
    architecture = TINY_VIT if settings.toy else "vit_base_patch16_224"
    file = written(
        settings.folder / f"{architecture}-fast.pth", partial(write_vit, name=architecture)
    )
    options = {"architecture": architecture, "views": ("plain",)}
    member = MemberConfig("it", "regressor", str(file), options=options)
    return make_predictor(member, WeightRoots.usual()).open(settings.placement)


def clip(settings: Settings, name: str) -> OpenedModel:
    """An interrogator that ranks all flavors and has its captions given."""
    folder = settings.folder / TOWERS[name]
    if settings.toy:
        written(folder, write_tiny_clip)
        options: dict[str, Any] = {"lists": phrase_lists(settings.folder, 50), "mode": "fast"}
    else:
        options = write_clip(folder, TOWERS[name], FLAVORS)
    member = MemberConfig("it", "interrogator", str(folder), options=options)
    member = replace(member, options={**options, "captions_from": "captions"})
    return make_predictor(member, WeightRoots.usual()).open(settings.placement)


def captions_of(image_ids: Sequence[str]) -> Outputs:
    """A caption for each picture."""
    lines = [[Line("caption", f"a painting of number {n} on a wall", 0.0)] for n in image_ids]
    return Outputs.of_lines(image_ids, lines)


def look(opened: OpenedModel, settings: Settings, views: Sequence[Any], stages: Stages) -> object:
    """What the inference loop does with a batch."""
    placement = settings.placement
    with torch.inference_mode(), placement.autocast():
        with stages.on("copy"):
            stacked = [torch.stack(list(view)) for view in zip(*views, strict=True)]
            moved = tuple(view.to(placement.device) for view in stacked)
        with stages.on("look"):
            image_ids = tuple(map(str, range(len(views))))
            return opened.run(Batch(image_ids, moved, {"captions": captions_of(image_ids)}))


def sentences(settings: Settings) -> Any:
    """The sentence encoder, given texts that all differ."""
    encoder = SentenceEncoder(
        written(settings.folder / "minilm", write_minilm), settings.placement, batch_size=256
    )

    def work(views: Sequence[str], stages: Stages) -> object:
        with stages.on("encode"):
            return encoder.encode([f"{text} {number}" for number, text in enumerate(views)])

    return work

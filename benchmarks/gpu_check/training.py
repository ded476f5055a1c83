"""How fast are captioners fine-tuned? Published sizes with random weights, all of them or by LoRA.

A step is the product's own: copy, normalisation, loss in bf16, gradients, optimizer, and the
running average of the weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from benchmarks import captioners
from benchmarks.gpu_check.checks import STATED, Found, Steps
from benchmarks.gpu_check.flops import counting
from benchmarks.gpu_check.models import CAPTIONER_WRITERS, Settings, written
from prompt_ensemble.models.device import release

if TYPE_CHECKING:
    from benchmarks.gpu_check.fast import Peak
    from prompt_ensemble.training.fine_tuning.caption_batches import Batch
    from prompt_ensemble.training.fine_tuning.fine_tuner import FineTuner

NAMES = {"training BLIP-large": "blip", "training GIT-large": "git"}
_MODELS: dict[str, Callable[[str], Any]] = {
    "blip": captioners.blip_model,
    "git": captioners.git_model,
}
_SIDES = {"blip": 384, "git": 224}
_TINY_SIDE = 32
_TOKENS = 32
"""Of a prompt, start and end included."""
_BATCHES = (8, 32, 64)
_ENOUGH = 2.0
"""Seconds of steps that make a figure."""


def training_speeds(settings: Settings, peak: Peak, name: str) -> Steps:
    """Images a second and the peak of memory, for all weights and for LoRA."""
    kind = NAMES[name]
    for tuned in ("whole", "lora"):
        for batch in (2,) if settings.toy else _BATCHES:
            yield f"{tuned}, batch {batch}", partial(_look, settings, peak, kind, tuned, batch)


def _look(settings: Settings, peak: Peak, kind: str, tuned: str, batch: int) -> Found:
    """One size of batch, with a network and an optimizer of its own."""
    placement = settings.placement
    tuner = _tuner(settings, kind, tuned, batch)
    examples = _examples(_TINY_SIDE if settings.toy else _SIDES[kind], batch)
    with counting() as counter:
        tuner.step(examples)
    if placement.on_gpu:
        torch.cuda.reset_peak_memory_stats(placement.device)
    done, began = 0, time.perf_counter()
    while done == 0 or (time.perf_counter() - began < _ENOUGH and not settings.toy):
        float(tuner.step(examples))  # waits for the device
        done += batch
    rate = done / (time.perf_counter() - began)
    achieved = rate * counter.total / batch / 1e12
    figures = {"images/s": rate, "TFLOP/s": achieved, "share of peak": achieved / peak.teraflops}
    if placement.on_gpu:
        figures["peak GiB"] = torch.cuda.max_memory_allocated(placement.device) / 2**30
    del tuner
    release(placement)
    return Found(STATED, figures=figures)


def _tuner(settings: Settings, kind: str, tuned: Any, batch: int) -> FineTuner:
    """The product's trainer, with the published network in place of the folder's tiny one."""
    from accelerate import Accelerator

    from prompt_ensemble.members.captioners.tunable_captioner import Published, TunableCaptioner
    from prompt_ensemble.members.registry import predictor_class
    from prompt_ensemble.models.device import choose_placement
    from prompt_ensemble.models.weights import WeightRoots
    from prompt_ensemble.training.fine_tuning.families import FAMILIES
    from prompt_ensemble.training.fine_tuning.fine_tuner import FineTuner
    from prompt_ensemble.training.fine_tuning.learning_parts import LearningParts
    from prompt_ensemble.training.fine_tuning.recipe import FineTuneRecipe

    folder: Path = written(settings.folder / kind, CAPTIONER_WRITERS[kind])
    found = predictor_class(kind)
    predictor = found(str(folder), found.Options(), WeightRoots.usual())
    assert isinstance(predictor, TunableCaptioner)
    tiny = predictor.read(choose_placement("cpu"))
    model = tiny.model if settings.toy else _MODELS[kind]("large")
    precision = "bf16" if settings.placement.on_gpu else "no"
    recipe = FineTuneRecipe(tuned=tuned, batch_size=batch, precision=precision)
    published = Published(model, tiny.preprocessing, tiny.tokenizer)
    parts = LearningParts(model, FAMILIES[kind], recipe)
    accelerator = Accelerator(mixed_precision=precision, cpu=not settings.placement.on_gpu)
    return FineTuner(predictor, published, parts, recipe, accelerator)


def _examples(side: int, batch: int) -> Batch:
    """Noise, and prompts of full length."""
    from prompt_ensemble.training.fine_tuning.caption_batches import Batch

    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (batch, 3, side, side), generator=generator, dtype=torch.uint8)
    tokens = torch.randint(1000, 20_000, (batch, _TOKENS), generator=generator)
    return Batch(pixels, tokens, tokens)

"""How fast is it? The published sizes with random weights, so every caption has full length.

Figures are of the product's own parts: its preprocessing, its search, its autocast. TFLOP/s counts
multiplications and additions of matrix products and convolutions, as torch's counter does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from PIL import Image

from benchmarks.gpu_check.checks import FAILED, STATED, Check, Found, Steps
from benchmarks.gpu_check.contenders import NAMES, make
from benchmarks.gpu_check.flops import counting
from benchmarks.gpu_check.generating import NAME as DRAWING
from benchmarks.gpu_check.generating import drawing_speeds
from benchmarks.gpu_check.models import Settings
from benchmarks.gpu_check.training import NAMES as TRAINED
from benchmarks.gpu_check.training import training_speeds
from benchmarks.gpu_check.turns import whole_ensemble
from prompt_ensemble.models.device import Placement, release

BATCHES = (1, 8, 64, 128, 256)
"""The first three are always reported, later ones only while they are faster."""
ALWAYS_REPORTED = 3
ENOUGH = 0.3
"""Seconds of work that make a figure."""
BETTER = 1.03


@dataclass
class Stages:
    """Seconds by stage, each ended when the device has done its work."""

    device: torch.device
    seconds: dict[str, float] = field(default_factory=dict)

    def now(self) -> float:
        """Seconds, once the device has done all it was asked to."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    @contextmanager
    def on(self, stage: str) -> Iterator[None]:
        """Add the time of a block to a stage."""
        began = self.now()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + self.now() - began


@dataclass(frozen=True)
class Contender:
    """A model ready to be timed."""

    prepare: Callable[[Image.Image], Any]
    """A picture on the processor, as workers do it beside the model; or a text."""
    work: Callable[[Sequence[Any], Stages], object]
    """Everything for a batch, its stages on the watch."""
    unit: str = "images"


def checks(settings: Settings) -> list[Check]:
    """Those of the part *fast*."""
    peak = Peak()
    return [
        Check("fast", "matrix peak", partial(matrix_peak, settings, peak), 0.5),
        *(Check("fast", name, partial(speeds, settings, peak, name), 3.0) for name in NAMES),
        *(
            Check("fast", name, partial(training_speeds, settings, peak, name), 4.0)
            for name in TRAINED
        ),
        Check("fast", DRAWING, partial(drawing_speeds, settings, peak), 3.0),
        Check("fast", "whole ensemble", partial(whole_ensemble, settings), 12.0),
    ]


@dataclass
class Peak:
    """TFLOP/s of a large matrix product in bf16 on this device, once measured."""

    teraflops: float = float("nan")


def matrix_peak(settings: Settings, peak: Peak) -> Steps:
    """What the device can do at most, by a large product of random numbers."""

    def look() -> Found:
        side, times = (256, 3) if settings.toy else (8192, 20)
        device = settings.placement.device
        one, other = (torch.randn(side, side, device=device).bfloat16() for _ in range(2))
        stages = Stages(device)
        for _ in range(3):
            one @ other
        with stages.on("products"):
            for _ in range(times):
                one @ other
        peak.teraflops = 2 * side**3 * times / stages.seconds["products"] / 1e12
        return Found(STATED, f"{side} x {side}", {"TFLOP/s": peak.teraflops})

    yield "bf16 product", look


def speeds(settings: Settings, peak: Peak, name: str) -> Steps:
    """Throughput by batch, and the best of all."""
    placement = settings.placement
    torch.manual_seed(0)
    contender = make(settings, name)
    flops = flops_of_one(contender, placement)
    best: dict[str, float | str] = {}

    def look(batch: int) -> Found:
        figures = measured(contender, placement, batch, 0.0 if settings.toy else ENOUGH)
        rate = float(figures[f"{contender.unit}/s"])
        achieved = rate * flops / 1e12
        figures |= {"TFLOP/s": achieved, "share of peak": achieved / peak.teraflops}
        if rate > float(best.get(f"{contender.unit}/s", 0.0)):
            best.clear()
            best.update({"batch": batch} | figures)
        return Found(STATED, figures=figures)

    for batch in (1, 2) if settings.toy else BATCHES:
        rate = float(best.get(f"{contender.unit}/s", 0.0))
        yield f"batch {batch}", partial(look, batch)
        faster = float(best.get(f"{contender.unit}/s", 0.0)) >= BETTER * rate
        if batch >= BATCHES[ALWAYS_REPORTED - 1] and not faster:
            break
    yield "best", lambda: Found(STATED if best else FAILED, figures=best)
    release(placement)


def flops_of_one(contender: Contender, placement: Placement) -> float:
    """Operations of one image, search and all; the first run, so it warms up as well."""
    with counting() as counter:
        contender.work([contender.prepare(picture())], Stages(placement.device))
    return float(counter.total)


def measured(
    contender: Contender, placement: Placement, batch: int, enough: float
) -> dict[str, float | str]:
    """Rate without preparation, milliseconds an image by stage with it, and the peak of memory."""
    stages = Stages(placement.device)
    with stages.on("prepare"):
        views = [contender.prepare(picture()) for _ in range(min(batch, 8))]
    prepared = stages.seconds.pop("prepare") / len(views)
    views = [views[number % len(views)] for number in range(batch)]
    contender.work(views, Stages(placement.device))
    if placement.on_gpu:
        torch.cuda.reset_peak_memory_stats(placement.device)
    done, began = 0, stages.now()
    while done == 0 or stages.now() - began < enough:
        contender.work(views, stages)
        done += batch
    rate = done / (stages.now() - began)
    by_stage = {"prepare": prepared} | {k: spent / done for k, spent in stages.seconds.items()}
    split = ", ".join(f"{stage} {1000 * seconds:.2f}" for stage, seconds in by_stage.items())
    figures: dict[str, float | str] = {f"{contender.unit}/s": rate, "ms by stage": split}
    if placement.on_gpu:
        figures["peak GiB"] = torch.cuda.max_memory_allocated(placement.device) / 2**30
    return figures


def picture() -> Image.Image:
    """Of the competition's size."""
    return Image.effect_noise((512, 512), 64.0).convert("RGB")

"""How fast are prompts drawn? Stable Diffusion 2 with random weights, decoding included.

A batch is the product's own: text encoded, both halves of guidance denoised, pictures decoded and
brought to the processor.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from benchmarks.gpu_check.checks import STATED, Found, Steps
from benchmarks.gpu_check.flops import counting
from benchmarks.gpu_check.models import Settings
from prompt_ensemble.generating.drawings import Drawing, drawings_of
from prompt_ensemble.generating.image_generator import ImageGenerator
from prompt_ensemble.generating.recipe import GenerationRecipe
from prompt_ensemble.models.device import Placement, release

if TYPE_CHECKING:
    from benchmarks.gpu_check.fast import Peak

NAME = "drawing with SD 2"
_SIDE, _STEPS = 512, 20
_BATCHES = (1, 4, 16)
_TINY_SIDE, _TINY_STEPS = 32, 3


def drawing_speeds(settings: Settings, peak: Peak) -> Steps:
    """Images a second by batch, and the share of what the device can do at most."""
    side, steps = (_TINY_SIDE, _TINY_STEPS) if settings.toy else (_SIDE, _STEPS)
    recipe = GenerationRecipe(steps=steps, height=side, width=side, batch_size=1)
    pipeline = _pipeline(settings)
    flops = _flops_of_one(pipeline, recipe, settings.placement)
    for batch in (2,) if settings.toy else _BATCHES:
        sized = replace(recipe, batch_size=batch)
        yield f"batch {batch}", partial(_look, settings, peak, pipeline, sized, flops)
    del pipeline
    release(settings.placement)


def _look(
    settings: Settings, peak: Peak, pipeline: Any, recipe: GenerationRecipe, flops: float
) -> Found:
    """One size of batch, warmed up by two steps."""
    placement = settings.placement
    ImageGenerator(pipeline, replace(recipe, steps=2), placement).draw(_drawings(recipe))
    if placement.on_gpu:
        torch.cuda.reset_peak_memory_stats(placement.device)
    began = time.perf_counter()
    ImageGenerator(pipeline, recipe, placement).draw(_drawings(recipe))
    rate = recipe.batch_size / (time.perf_counter() - began)
    achieved = rate * flops / 1e12
    figures = {"images/s": rate, "TFLOP/s": achieved, "share of peak": achieved / peak.teraflops}
    if placement.on_gpu:
        figures["peak GiB"] = torch.cuda.max_memory_allocated(placement.device) / 2**30
    return Found(STATED, f"{recipe.steps} steps, {recipe.width} px", figures)


def _flops_of_one(pipeline: Any, recipe: GenerationRecipe, placement: Placement) -> float:
    """Operations of one image; steps are alike, so one more than one step counts for all."""
    counted = []
    for steps in (1, 2):
        generator = ImageGenerator(pipeline, replace(recipe, steps=steps), placement)
        with counting() as counter:
            generator.draw(_drawings(recipe))
        counted.append(counter.total)
    return float(counted[0] + (recipe.steps - 1) * (counted[1] - counted[0]))


def _drawings(recipe: GenerationRecipe) -> Sequence[Drawing]:
    """A batch of prompts."""
    return list(drawings_of([f"a painting of {n} ships" for n in range(recipe.batch_size)], 0, 1))


def _pipeline(settings: Settings) -> Any:
    """The published network with random numbers, or the tests' tiny one."""
    from diffusers import DDIMScheduler

    placement = settings.placement
    pipeline = _tiny() if settings.toy else _published(placement)
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(placement.device)


def _tiny() -> Any:
    """On a processor."""
    from tiny_diffusion import tiny_pipeline

    return tiny_pipeline()


def _published(placement: Placement) -> Any:
    """Built on the device, as the package's own configuration files describe it."""
    from prompt_ensemble.generating.architectures import write_architecture
    from prompt_ensemble.generating.pipeline_index import read_index

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_architecture("sd-2-base", folder)
        index = read_index(folder, needed=False)
        parts = {key: _part(part, folder / key, placement) for key, part in index.parts.items()}
    return index.pipeline(
        **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )


def _part(part: Any, folder: Path, placement: Placement) -> Any:
    """A network of random numbers, or a part without any."""
    if not issubclass(part, torch.nn.Module):
        return part.from_pretrained(folder, local_files_only=True)
    with torch.device(placement.device):
        if hasattr(part, "load_config"):
            network = part.from_config(part.load_config(folder))
        else:
            network = part(part.config_class.from_pretrained(folder))
    return network.to(placement.dtype).eval()

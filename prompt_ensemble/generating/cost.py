"""What a run would take: one batch is drawn and measured."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.generating.drawings import Drawing
from prompt_ensemble.generating.generate import PromptList
from prompt_ensemble.generating.image_generator import ImageGenerator, open_generator
from prompt_ensemble.generating.image_model import ImageModel
from prompt_ensemble.generating.recipe import GenerationRecipe
from prompt_ensemble.models.device import Placement, forget_peak_memory, peak_memory


@dataclass(frozen=True)
class GenerationCost:
    """Of one device."""

    load_seconds: float
    seconds_per_image: float
    peak_memory: int
    """Bytes on the GPU, or of the whole process elsewhere; 0 where unknown."""

    def seconds(self, images: int, devices: int = 1) -> float:
        """For so many images, shared by so many devices, loading included."""
        return self.load_seconds + self.seconds_per_image * images / devices


def measure_cost(
    prompts: PromptList, model: ImageModel, recipe: GenerationRecipe, placement: Placement
) -> GenerationCost:
    """Open the model, warm it up with two steps, draw the first batch of prompts."""
    batch = list(islice(prompts.drawings(recipe), recipe.batch_size))
    if not batch:
        raise BadConfig("no prompts to measure with; the files hold none")
    forget_peak_memory(placement)
    began = time.monotonic()
    generator = open_generator(model, recipe, placement)
    load = time.monotonic() - began
    short = ImageGenerator(
        generator.pipeline, replace(recipe, steps=min(2, recipe.steps)), placement
    )
    short.draw(batch)
    # A batch that lacks images takes as long as a whole one.
    drawing = _seconds(generator, batch) / recipe.batch_size
    return GenerationCost(load, drawing, peak_memory(placement))


def _seconds(generator: ImageGenerator, batch: Sequence[Drawing]) -> float:
    """For one batch; its pictures are on the CPU when it ends."""
    began = time.monotonic()
    generator.draw(batch)
    return time.monotonic() - began

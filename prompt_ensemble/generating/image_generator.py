"""An opened pipeline that draws images, each the same whatever is drawn beside it.

Measured on a CPU in float32: at one shape of batch an image's neighbours change no bit of it. Its
row may (by 2e-6 with three rows on two threads, where one row is split between them), and so does
another shape. So all batches have one shape, free rows are filled, and an image's number says its
row. Its noise comes from a generator of its own, on the CPU, where all devices draw alike.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from prompt_ensemble.core.errors import BadConfig, OutOfMemory
from prompt_ensemble.generating.drawings import Drawing
from prompt_ensemble.generating.image_model import ImageModel
from prompt_ensemble.generating.pipeline_folders import quiet_diffusers
from prompt_ensemble.generating.recipe import GenerationRecipe
from prompt_ensemble.generating.schedulers import set_scheduler
from prompt_ensemble.models.device import Placement

_MOST_WORDS = 100_000
"""A tokenizer whose longest text is beyond it has not been told how long texts may be."""


@dataclass(frozen=True)
class Drawn:
    """What came of a drawing."""

    drawing: Drawing
    picture: Image.Image | None
    """None if the pipeline's safety checker flagged it."""


def open_generator(
    model: ImageModel, recipe: GenerationRecipe, placement: Placement
) -> ImageGenerator:
    """The model on its device, set up as the recipe says."""
    pipeline = model.open(placement.dtype)
    _limit_words(pipeline)
    if recipe.scheduler:
        set_scheduler(pipeline, recipe.scheduler)
    if recipe.attention_slicing:
        pipeline.enable_attention_slicing()
        pipeline.vae.enable_slicing()
    pipeline.set_progress_bar_config(disable=True)
    return ImageGenerator(pipeline.to(placement.device), recipe, placement)


class ImageGenerator:
    """Draws by a pipeline that is on its device."""

    def __init__(self, pipeline: Any, recipe: GenerationRecipe, placement: Placement) -> None:
        self.pipeline = pipeline
        self.recipe = recipe
        self.placement = placement
        self._settings = _call_settings(pipeline, recipe)

    def draw(self, drawings: Sequence[Drawing]) -> list[Drawn]:
        """Any number of drawings, in their order."""
        drawn: dict[int, Drawn] = {}
        for batch in _by_row(drawings, self.recipe.batch_size):
            drawn |= {one.drawing.number: one for one in self._draw_rows(batch)}
        return [drawn[drawing.number] for drawing in drawings]

    def _draw_rows(self, batch: dict[int, Drawing]) -> list[Drawn]:
        """Drawings by their row, free rows filled with the first of them."""
        first = next(iter(batch.values()))
        rows = [batch.get(row, first) for row in range(self.recipe.batch_size)]
        made = self._call(rows)
        flags = getattr(made, "nsfw_content_detected", None) or [False] * len(rows)
        return [
            Drawn(drawing, None if flags[row] else made.images[row])
            for row, drawing in sorted(batch.items())
        ]

    def _call(self, rows: Sequence[Drawing]) -> Any:
        """The pipeline's own answer."""
        generators = [torch.Generator().manual_seed(drawing.seed) for drawing in rows]
        settings = dict(self._settings)
        if self.recipe.negative_prompt:
            settings["negative_prompt"] = [self.recipe.negative_prompt] * len(rows)
        try:
            with torch.inference_mode(), quiet_diffusers():
                return self.pipeline(
                    prompt=[drawing.prompt for drawing in rows], generator=generators, **settings
                )
        except torch.OutOfMemoryError as error:
            raise self._too_small() from error
        except ValueError as error:
            raise BadConfig(
                f"the pipeline refuses the recipe: {' '.join(str(error).split())}"
            ) from (error)
        except RuntimeError as error:
            if "can't allocate memory" in str(error):  # the CPU allocator has no class of its own
                raise self._too_small() from error
            raise

    def _too_small(self) -> OutOfMemory:
        """What to do about memory; a smaller batch is not taken unasked."""
        fewer = max(1, self.recipe.batch_size // 2)
        return OutOfMemory(
            f"{self.placement} has no room for {self.recipe.batch_size} images at once; their last "
            f"bits depend on that number, so it stays as it is; begin anew with --set batch_size="
            f"{fewer}, attention_slicing=true, or precision=fp16"
        )


def _by_row(drawings: Sequence[Drawing], size: int) -> list[dict[int, Drawing]]:
    """Batches in which each drawing has its own row."""
    batches: list[dict[int, Drawing]] = []
    for drawing in drawings:
        row = drawing.number % size
        batch = next((batch for batch in batches if row not in batch), None)
        if batch is None:
            batch = {}
            batches.append(batch)
        batch[row] = drawing
    return batches


def _call_settings(pipeline: Any, recipe: GenerationRecipe) -> dict[str, Any]:
    """What the pipeline is called with; a choice that it does not know is an error."""
    wanted = {
        "num_inference_steps": recipe.steps,
        "guidance_scale": recipe.guidance,
        "height": recipe.height,
        "width": recipe.width,
    }
    known = inspect.signature(pipeline.__call__).parameters
    needed = ["prompt", "generator", *(key for key, value in wanted.items() if value is not None)]
    needed += ["negative_prompt"] if recipe.negative_prompt else []
    if unknown := [key for key in needed if key not in known]:
        raise BadConfig(
            f"{type(pipeline).__name__} knows no {unknown[0]!r}; leave it out of the recipe or use "
            "another model"
        )
    return {key: value for key, value in wanted.items() if value is not None}


def _limit_words(pipeline: Any) -> None:
    """Tell tokenizers how long texts may be; some folders do not, and longer ones then fail."""
    for name, part in pipeline.components.items():
        if getattr(part, "model_max_length", 0) > _MOST_WORDS:
            encoder = pipeline.components.get(name.replace("tokenizer", "text_encoder"))
            longest = getattr(getattr(encoder, "config", None), "max_position_embeddings", None)
            part.model_max_length = longest or 77

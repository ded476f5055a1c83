"""What determines the images, the prompts and the model aside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prompt_ensemble.core.errors import BadConfig

_LARGEST_SIDE = 8192
_LARGEST_SEED = 2**63


@dataclass(frozen=True)
class GenerationRecipe:
    """Choices of a run; with the same choices an image is the same to the byte on one machine."""

    scheduler: str = ""
    """A class of diffusers such as ``EulerDiscreteScheduler``; empty for the model's own."""
    steps: int = 50
    guidance: float = 7.5
    """1 does without guidance, and without the negative prompt."""
    height: int | None = None
    """In pixels; what the model was made for if none is given."""
    width: int | None = None
    images_per_prompt: int = 1
    negative_prompt: str = ""
    seed: int = 0
    batch_size: int = 4
    """Images that go through the networks together: always so many, free places are filled. The
    last bits of an image depend on this number."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    attention_slicing: bool = False
    """Attention in slices and pictures decoded one by one: slower, and less memory."""

    def __post_init__(self) -> None:
        for name in ("steps", "images_per_prompt", "batch_size"):
            if getattr(self, name) < 1:
                raise BadConfig(f"recipe: {name!r} is {getattr(self, name)}; expected at least 1")
        if (self.height is None) != (self.width is None):  # diffusers would leave out the other
            raise BadConfig("recipe: 'height' and 'width' belong together; give both or neither")
        for name in ("height", "width"):
            side = getattr(self, name)
            if side is not None and not 8 <= side <= _LARGEST_SIDE:
                raise BadConfig(f"recipe: {name!r} is {side}; expected 8 to {_LARGEST_SIDE} pixels")
        if not 0 <= self.guidance < 1000:
            raise BadConfig(f"recipe: 'guidance' is {self.guidance}; expected 0 to 1000")
        if not 0 <= self.seed < _LARGEST_SEED:
            raise BadConfig(f"recipe: 'seed' is {self.seed}; expected 0 to 2**63")

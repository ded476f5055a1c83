"""PNG files that say how they were made, in the words of AUTOMATIC1111's web interface.

Its ``parameters`` text is what most tools and collections read: the prompt, a line with the
negative prompt, and a line of settings.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image, PngImagePlugin

from prompt_ensemble.generating.drawings import Drawing

_KEY = "parameters"
_SAMPLERS = {
    "DDIMScheduler": "DDIM",
    "DPMSolverMultistepScheduler": "DPM++ 2M",
    "DPMSolverSinglestepScheduler": "DPM++ 2S",
    "EulerAncestralDiscreteScheduler": "Euler a",
    "EulerDiscreteScheduler": "Euler",
    "HeunDiscreteScheduler": "Heun",
    "KDPM2AncestralDiscreteScheduler": "DPM2 a",
    "KDPM2DiscreteScheduler": "DPM2",
    "LCMScheduler": "LCM",
    "LMSDiscreteScheduler": "LMS",
    "PNDMScheduler": "PLMS",
    "UniPCMultistepScheduler": "UniPC",
}
"""That interface's names; schedulers that it lacks keep their own."""


@dataclass(frozen=True)
class Settings:
    """What all images of a run share."""

    scheduler: str
    steps: int
    guidance: float
    negative_prompt: str
    model: str
    model_digest: str

    @property
    def sampler(self) -> str:
        """The scheduler as AUTOMATIC1111 calls it."""
        return _SAMPLERS.get(self.scheduler, self.scheduler)


def parameters_text(drawing: Drawing, settings: Settings, size: tuple[int, int]) -> str:
    """The text for an image of this width and height."""
    fields = {
        "Steps": settings.steps,
        "Sampler": settings.sampler,
        "CFG scale": f"{settings.guidance:g}",
        "Seed": drawing.seed,
        "Size": f"{size[0]}x{size[1]}",
        "Model hash": settings.model_digest[:10],
        "Model": _quoted(settings.model),
    }
    lines = [drawing.prompt]
    if settings.negative_prompt:
        lines.append(f"Negative prompt: {settings.negative_prompt}")
    return "\n".join([*lines, ", ".join(f"{key}: {value}" for key, value in fields.items())])


def png_bytes(picture: Image.Image, text: str) -> bytes:
    """The file; Pillow writes text beyond Latin-1 as UTF-8, as AUTOMATIC1111 does."""
    notes = PngImagePlugin.PngInfo()
    notes.add_text(_KEY, text)
    file = io.BytesIO()
    picture.save(file, "PNG", pnginfo=notes)
    return file.getvalue()


def _quoted(name: str) -> str:
    """A name with commas or colons stands in quotes, or readers would cut it."""
    return f'"{name}"' if set(name) & set(',:"') else name

"""What a captioner in training says of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from prompt_ensemble.core.errors import UnreadableImage
from prompt_ensemble.images.decode import load_image
from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner


@torch.inference_mode()
def captions_of(
    captioner: SearchingCaptioner, images: Sequence[Path], together: int, device: torch.device
) -> list[str]:
    """The likeliest caption of each image; none of an image that cannot be read."""
    captions: list[str] = []
    for start in range(0, len(images), together):
        pictures = [_prepared(captioner, image) for image in images[start : start + together]]
        readable = [picture for picture in pictures if picture is not None]
        said: list[str] = []
        if readable:
            batch = torch.stack(readable).to(device)
            said = [lines[0].text for lines in captioner.caption(batch)]
        found = iter(said)
        captions += ["" if picture is None else next(found) for picture in pictures]
    return captions


def _prepared(captioner: SearchingCaptioner, image: Path) -> torch.Tensor | None:
    try:
        return captioner.prepare(load_image(image))
    except UnreadableImage:
        return None

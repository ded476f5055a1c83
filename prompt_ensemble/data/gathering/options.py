"""What a user decides about gathering; it stands in the manifest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Layout = Literal["files", "webdataset"]


@dataclass(frozen=True)
class GatherOptions:
    """Defaults keep every image whose prompt is known and says all there is."""

    layout: Layout = "files"
    rows_per_shard: int = 10_000
    longest_side: int = 512
    """Of the images written, in pixels; 0 keeps each file as it is."""
    smallest_side: int = 64
    """Images with a shorter side are left out."""
    include: tuple[str, ...] = ()
    """Kinds of images that would be left out, such as img2img."""
    names_are_prompts: bool = False
    languages: tuple[str, ...] = ()
    """Tags of those to keep; all if empty."""
    drop_unsafe: bool = False
    near_bits: int = 4
    """Images whose perceptual hashes differ in no more bits count as near-duplicates."""
    drop_near_images: bool = False
    images_per_prompt: int = 0
    """The most images of one prompt; 0 for all."""
    near_prompts: float = 0.0
    """Cosine from which on a prompt counts as a duplicate and is dropped; 0 keeps all."""
    image_column: str = ""
    prompt_column: str = ""
    licence: str = ""

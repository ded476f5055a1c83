"""Where a captioner looks, asked of any captioner: grey a part of the image and caption again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from prompt_ensemble.core.embeddings import Encode
from prompt_ensemble.images.survey import Album, SurveyedImage
from prompt_ensemble.run.ensemble import Ensemble
from prompt_ensemble.run.members import Member
from prompt_ensemble.study.captioning import say

_GREY = (127, 127, 127)


@dataclass(frozen=True, eq=False)
class MaskedImages:
    """Images, and each of them with each cell of a grid made grey."""

    image_ids: tuple[str, ...]
    grid: int
    album: Album
    """Of the images with a grey cell."""

    @property
    def copies(self) -> list[str]:
        """The ids of all copies: of the first image cell by cell, row by row, then the second …"""
        return [name for image_id in self.image_ids for name in _names(image_id, self.grid)]


def mask_images(ensemble: Ensemble, images: Sequence[SurveyedImage], grid: int) -> MaskedImages:
    """Copies of a few images in memory, which members caption as they do all others."""
    copies: dict[str, Image.Image] = {}
    for image in images:
        names = _names(image.image_id, grid)
        copies |= zip(names, _with_grey_cells(image.load(), grid), strict=True)
    ids = tuple(image.image_id for image in images)
    return MaskedImages(ids, grid, ensemble.survey(copies))


def _names(image_id: str, grid: int) -> list[str]:
    return [f"{image_id}@{row},{column}" for row, column in np.ndindex(grid, grid)]


def _with_grey_cells(picture: Image.Image, grid: int) -> list[Image.Image]:
    """The picture once for each cell, that cell grey."""
    across = np.linspace(0, picture.width, grid + 1).round().astype(int).tolist()
    down = np.linspace(0, picture.height, grid + 1).round().astype(int).tolist()
    copies = []
    for row, column in np.ndindex(grid, grid):
        copy = picture.copy()
        corners = (across[column], down[row], across[column + 1] - 1, down[row + 1] - 1)
        ImageDraw.Draw(copy).rectangle(corners, fill=_GREY)
        copies.append(copy)
    return copies


def movement(
    masked: MaskedImages,
    whole: Mapping[str, str],
    ensemble: Ensemble,
    member: Member,
    store: Path,
    encode: Encode,
) -> np.ndarray:
    """How far each cell moves the caption, ``(M, g, g)``: 1 less the cosine to that of the whole.

    ``whole`` are the captions of the images as they are.
    """
    said, _ = say(ensemble, member, masked.album, store)
    moved = encode([said[name] for name in masked.copies])
    still = np.repeat(
        encode([whole[image_id] for image_id in masked.image_ids]), masked.grid**2, axis=0
    )
    away = 1 - np.einsum("ij,ij->i", moved, still, dtype=np.float64)
    maps: np.ndarray = np.clip(away, 0, None).reshape(-1, masked.grid, masked.grid)
    return maps

"""Batches of images and the tokens of their prompts, read ahead while the network learns.

Which rows a batch holds comes from the seed and the number of the step alone, so a resumed run goes
on with the very batches that the uninterrupted one would have had, however many processes read.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from prompt_ensemble.core.errors import BadConfig, UnreadableImage
from prompt_ensemble.images.decode import load_image
from prompt_ensemble.images.preprocessing import Preprocessing

log = logging.getLogger(__name__)
NOT_LEARNT = -100
"""What stands in labels for tokens that nothing is learnt from."""
_MOST_UNREADABLE = 32
"""Images in a row; where more of them are broken, something else is wrong."""


@dataclass(frozen=True)
class Frame:
    """What stands around a caption's own tokens."""

    prompt: tuple[int, ...]
    """The start, and words that every caption continues: given, not learnt."""
    end: int
    longest: int
    """Tokens in all."""


@dataclass(frozen=True)
class Batch:
    """All of one step."""

    pixels: torch.Tensor
    """``(B, 3, H, W)`` uint8"""
    tokens: torch.Tensor
    """``(B, T)``: prompt, text, end, and ends again as padding."""
    labels: torch.Tensor
    """The same, with ``NOT_LEARNT`` where nothing is learnt."""

    def pin_memory(self) -> Batch:
        """The same where a GPU copies from fast; the loader calls this."""
        return Batch(self.pixels.pin_memory(), self.tokens.pin_memory(), self.labels.pin_memory())


class CaptionBatches(Dataset[Batch]):
    """The batch of each step, by its number."""

    def __init__(
        self,
        images: Sequence[Path],
        texts: Sequence[Sequence[int]],
        chances: np.ndarray,
        preprocessing: Preprocessing,
        frame: Frame,
        size: int,
        seed: int,
    ) -> None:
        """``chances`` say how often each row is drawn, relative to the others."""
        self.images = images
        self.texts = texts
        self.cumulative = np.cumsum(chances) / chances.sum()
        self.preprocessing = preprocessing
        self.frame = frame
        self.size = size
        self.seed = seed

    def __getitem__(self, step: int) -> Batch:
        """In place of an image that cannot be read stands the next one of the listing."""
        chance = np.random.default_rng((self.seed, step)).random(self.size)
        drawn = np.searchsorted(self.cumulative, chance, side="right")
        pictures, texts = [], []
        for row in np.minimum(drawn, len(self.images) - 1).tolist():
            picture, row = self._readable(row)
            pictures.append(picture)
            texts.append(self.texts[row])
        return Batch(torch.stack(pictures), *framed(texts, self.frame))

    def _readable(self, row: int) -> tuple[torch.Tensor, int]:
        """A row's picture, or that of the next row which has one, and which row it is."""
        for further in range(_MOST_UNREADABLE):
            found = (row + further) % len(self.images)
            try:
                return self.preprocessing.prepare(load_image(self.images[found])), found
            except UnreadableImage as error:
                log.warning("left out: %s", error)
        raise BadConfig(
            f"{_MOST_UNREADABLE} images in a row cannot be read, the last of them "
            f"{self.images[found]}; check the listing's images"
        )

    def from_step(self, first: int, steps: int, workers: int, pin: bool) -> Iterator[Batch]:
        """The batches of all steps from the first on."""
        # A batch is one item of the loader, made whole by one process.
        ahead = 2 if workers else None
        loader = DataLoader(
            self, batch_size=None, sampler=range(first, steps), num_workers=workers,
            pin_memory=pin, prefetch_factor=ahead,
        )  # fmt: skip
        return iter(loader)


def framed(texts: Sequence[Sequence[int]], frame: Frame) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens and labels of texts; what does not fit is cut off before the end."""
    room = frame.longest - len(frame.prompt) - 1
    rows = [[*frame.prompt, *text[:room], frame.end] for text in texts]
    width = max(map(len, rows))
    tokens = torch.tensor([row + [frame.end] * (width - len(row)) for row in rows])
    places = torch.arange(width)
    lengths = torch.tensor([len(row) for row in rows])[:, None]
    is_learnt = (places >= len(frame.prompt)) & (places < lengths)
    return tokens, tokens.masked_fill(~is_learnt, NOT_LEARNT)

"""A member that knows only colours: the web's names for a picture's most frequent ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch
from PIL import Image, ImageColor

from prompt_ensemble.core.embeddings import Embeddings, Encode
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.members.contract import Batch, OpenedModel, Predictor
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.weights import WeightRoots

VERSION = 1
"""Raised when the outputs change, so that outputs stored by an older version are not used."""
NAMES = sorted(name for name in ImageColor.colormap if "grey" not in name)
SIDE = 32
"""Pictures are made this small before their pixels are named."""


@dataclass(frozen=True)
class ColourNameOptions:
    """What a configuration may set under ``options``."""

    colours: int = 2
    """Names for each picture, the most frequent first."""


class OpenedColourNames(OpenedModel):
    """The palette on its device."""

    def __init__(self, options: ColourNameOptions, device: torch.device) -> None:
        self.options = options
        palette = [ImageColor.getrgb(name)[:3] for name in NAMES]
        self.palette = torch.tensor(palette, dtype=torch.float32, device=device)

    def prepare(self, image: Image.Image) -> tuple[torch.Tensor, ...]:
        """The picture as one small ``(3, SIDE, SIDE)`` tensor."""
        small = image.resize((SIDE, SIDE), Image.Resampling.BOX)
        pixels = torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8)
        return (pixels.reshape(SIDE, SIDE, 3).permute(2, 0, 1),)

    def run(self, batch: Batch) -> Outputs:
        """The names of the most frequent colours; the score is their share of the picture."""
        (pixels,) = batch.views
        colours = pixels.flatten(2).transpose(1, 2).float()
        nearest = torch.cdist(colours, self.palette.expand(len(colours), -1, -1)).argmin(dim=2)
        return Outputs.of_lines(
            batch.image_ids, [self._lines(numbers) for numbers in nearest.cpu()]
        )

    def _lines(self, nearest: torch.Tensor) -> list[Line]:
        shares = nearest.bincount(minlength=len(NAMES)) / len(nearest)
        order = shares.argsort(descending=True, stable=True)[: self.options.colours].tolist()
        return [
            Line("colour", NAMES[number], float(shares[number]))
            for number in order
            if shares[number] > 0
        ]


class ColourNamePredictor(Predictor):
    """The member; it has no weights."""

    Options = ColourNameOptions
    options: ColourNameOptions

    def __init__(self, weights: str, options: ColourNameOptions, roots: WeightRoots) -> None:
        super().__init__(weights, options, roots)
        if options.colours < 1:
            raise BadConfig(f"colours is {options.colours}; a picture gets at least one name")

    def identity(self) -> Mapping[str, object]:
        """All that changes the outputs."""
        return {"version": VERSION} | asdict(self.options)

    def open(self, placement: Placement, progress: Progress = silent) -> OpenedModel:
        """The palette on the device."""
        return OpenedColourNames(self.options, placement.device)

    def embed(self, outputs: Outputs, encode: Encode) -> Embeddings:
        """The names, joined into one text, as the sentence encoder sees them."""
        texts = [", ".join(line.text for line in lines) for lines in outputs.lines]
        return Embeddings.of(outputs.image_ids, encode(texts))

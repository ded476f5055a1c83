"""A member small enough to understand: it sees nothing but colour, and says which is strongest.

Run as a program it is a whole run with it, which tests start and kill:
``python colour_member.py IMAGES OUT SECONDS_PER_BATCH``.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings, Encode
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.members import registry
from prompt_ensemble.members.contract import Batch, OpenedModel, Predictor
from prompt_ensemble.models.device import Placement
from prompt_ensemble.run.config import MemberConfig, RunConfig

COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class ColourOptions:
    """Options of the kinds a preset can hold."""

    seed: int = 0
    seconds_per_batch: float = 0.0
    largest_batch: int = 1000
    after: str = ""
    fails: str = ""
    """``dies`` ends the process at the first batch, ``complains`` raises what a user could cure."""


class OpenedColour(OpenedModel):
    """Mean colour, projected to 384 numbers by a seeded matrix."""

    def __init__(self, options: ColourOptions) -> None:
        self.options = options
        self.batches: list[int] = []
        random = np.random.default_rng(options.seed)
        self.matrix = torch.from_numpy(random.normal(size=(3, EMBEDDING_WIDTH)).astype("f"))

    def prepare(self, image: Image.Image) -> tuple[torch.Tensor, ...]:
        pixels = np.array(image.resize((4, 4), Image.Resampling.BOX))
        return (torch.from_numpy(pixels).permute(2, 0, 1),)

    def run(self, batch: Batch) -> Outputs:
        if len(batch.image_ids) > self.options.largest_batch:
            raise torch.OutOfMemoryError("no room")
        if self.options.fails == "dies":
            os._exit(9)
        if self.options.fails == "complains":
            raise BadConfig("this cannot be")
        self.batches.append(len(batch.image_ids))
        time.sleep(self.options.seconds_per_batch)
        means = batch.views[0].float().mean(dim=(2, 3))
        strongest = [COLOURS[int(row.argmax())] for row in means]
        lines = tuple((Line("colour", name, 1.0),) for name in strongest)
        return Outputs(batch.image_ids, lines, (means @ self.matrix).float().numpy())


class ColourPredictor(Predictor):
    """The member; it has no weights."""

    Options = ColourOptions

    def identity(self) -> Mapping[str, object]:
        return {"seed": self.options.seed}

    def needs(self) -> tuple[str, ...]:
        return (self.options.after,) if self.options.after else ()

    def open(self, placement: Placement, progress: Progress = silent) -> OpenedModel:
        return OpenedColour(self.options)

    def embed(self, outputs: Outputs, encode: Encode) -> Embeddings:
        return Embeddings.of(outputs.image_ids, outputs.vectors)


def colour_ensemble(seconds_per_batch: float = 0.0) -> RunConfig:
    """Two members that differ in their matrix."""
    slow = {"seconds_per_batch": seconds_per_batch}
    return RunConfig(
        name="colours",
        members=(
            MemberConfig("one", "colour", weight=0.75, batch_size=4, options=slow | {"seed": 1}),
            MemberConfig("two", "colour", weight=0.25, batch_size=4, options=slow | {"seed": 2}),
        ),
    )


def run(images: Path, out: Path, seconds_per_batch: float = 0.0) -> None:
    """A whole run, as the command line does it."""
    from prompt_ensemble.run.ensemble import predict

    registry.PREDICTORS["colour"] = "colour_member:ColourPredictor"
    predict(images, out, config=colour_ensemble(seconds_per_batch), device="cpu")


if __name__ == "__main__":
    sys.modules["colour_member"] = sys.modules["__main__"]
    run(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))

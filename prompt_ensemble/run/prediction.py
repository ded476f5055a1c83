"""What a run gives: an embedding for every image, and all that led to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.images.survey import Album
from prompt_ensemble.models.device import Placement
from prompt_ensemble.run.blend_weights import BlendWeights
from prompt_ensemble.run.config import MemberConfig, RunConfig
from prompt_ensemble.run.member_run import MemberResult

if TYPE_CHECKING:
    import pandas as pd

LINES_SHOWN = 5
"""Phrases or captions of one member that are shown in the table of an image."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """The outcome of a run; ``embeddings`` has a row for every image, readable or not."""

    embeddings: Embeddings
    members: Mapping[str, MemberResult]
    album: Album
    config: RunConfig
    weights: BlendWeights
    """As it was blended: without the members that a deadline left out."""
    placement: Placement
    seconds: float
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Members that a deadline left out, and why."""
    trained_on: Mapping[str, Path] = field(default_factory=dict)
    """Members that say what they were trained on, and the files that do."""

    @property
    def finished(self) -> tuple[MemberConfig, ...]:
        """The members that finished, in the order of the configuration."""
        return tuple(member for member in self.config.members if member.name in self.members)

    def to_frame(self) -> pd.DataFrame:
        """A row an image: id, what each member says of it, seconds, and what is wrong if anything.

        ``pandas`` users join it with their own tables by ``image_id``.
        """
        import pandas as pd

        speaking = {
            name: result.outputs
            for name, result in self.members.items()
            if any(result.outputs.lines)
        }
        seconds = np.sum([result.seconds for result in self.members.values()], axis=0)
        good = [image.image_id for image in self.album.good]
        texts = {
            name: [_text(outputs, row) for row in range(len(good))]
            for name, outputs in speaking.items()
        }
        readable = pd.DataFrame(
            {"image_id": good, **texts, "seconds": seconds if self.members else 0.0, "problem": ""}
        )
        bad = pd.DataFrame(
            [{"image_id": image.image_id, "problem": image.reason} for image in self.album.bad],
            columns=["image_id", "problem"],
        )
        return pd.concat([readable, bad], ignore_index=True) if len(bad) else readable


def _text(outputs: Outputs, row: int) -> str:
    """What a member says of one image, in one line."""
    return "; ".join(f"{line.kind}: {line.text}" for line in outputs.lines[row][:LINES_SHOWN])

"""What a run gives: an embedding for every image, and all that led to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
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
NOT_MEMBERS = ("image_id", "prompt", "trust", "seconds", "problem")
"""Columns of the table that are no member's."""
_ROWS_IN_NOTEBOOKS = 20


@dataclass(frozen=True)
class Prompt:
    """The ensemble's answer for one image, in words."""

    text: str
    trust: float
    """Cosine between the embedding of the text and the blended one, which is submitted."""


@dataclass(frozen=True, eq=False, repr=False)
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
    words: Outputs | None = None
    """The answer in words, for the readable images in the order of ``album.good``.

    Lines of the kind ``prompt``, the answer first, and of the kind ``known``: prompts of a bank
    near to the blend. Scores are cosines to the blend. None where nobody asked for words.
    """

    def __repr__(self) -> str:
        members = ", ".join(self.members) or "no member"
        return (
            f"Prediction({len(self.album.image_ids)} images, preset {self.config.name!r}: "
            f"{members}; {self.seconds:.1f} s)"
        )

    def _repr_html_(self) -> str:
        """The first rows of the table, for notebooks."""
        table = self.to_frame().drop(columns="seconds").head(_ROWS_IN_NOTEBOOKS)
        return f"<p>{escape(repr(self))}</p>{table.to_html(index=False, na_rep='')}"

    @cached_property
    def prompts(self) -> dict[str, Prompt]:
        """Image id to its prompt, for every image that has one."""
        if self.words is None:
            return {}
        firsts = (
            (image_id, next((line for line in lines if line.kind == "prompt"), None))
            for image_id, lines in zip(self.words.image_ids, self.words.lines, strict=True)
        )
        return {image_id: Prompt(line.text, line.score) for image_id, line in firsts if line}

    @property
    def finished(self) -> tuple[MemberConfig, ...]:
        """The members that finished, in the order of the configuration."""
        return tuple(member for member in self.config.members if member.name in self.members)

    def to_frame(self) -> pd.DataFrame:
        """A row an image: id, prompt and trust, what each member says, seconds, what is wrong.

        ``pandas`` users join it with their own tables by ``image_id``.
        """
        import pandas as pd

        good = [image.image_id for image in self.album.good]
        seconds = np.sum([result.seconds for result in self.members.values()], axis=0)
        readable = pd.DataFrame(
            {
                "image_id": good,
                **self._answers(good),
                **self._texts(len(good)),
                "seconds": seconds if self.members else 0.0,
                "problem": "",
            }
        )
        bad = pd.DataFrame(
            [{"image_id": image.image_id, "problem": image.reason} for image in self.album.bad],
            columns=["image_id", "problem"],
        )
        return pd.concat([readable, bad], ignore_index=True) if len(bad) else readable

    def _answers(self, image_ids: Sequence[str]) -> dict[str, list[str] | list[float]]:
        """The columns of the answer in words, where there is one."""
        if self.words is None:
            return {}
        found = [self.prompts.get(image_id, Prompt("", np.nan)) for image_id in image_ids]
        return {"prompt": [p.text for p in found], "trust": [p.trust for p in found]}

    def _texts(self, images: int) -> dict[str, list[str]]:
        """A column for each member that says anything."""
        speaking = {
            name: result.outputs
            for name, result in self.members.items()
            if any(result.outputs.lines)
        }
        return {
            f"{name} (member)" if name in NOT_MEMBERS else name: [
                _text(outputs, row) for row in range(images)
            ]
            for name, outputs in speaking.items()
        }


def _text(outputs: Outputs, row: int) -> str:
    """What a member says of one image, in one line."""
    return "; ".join(f"{line.kind}: {line.text}" for line in outputs.lines[row][:LINES_SHOWN])

"""A vote of known prompts as a member: their mean, the nearer to the blend the more.

Prompts are not spread evenly: where many known ones lie, an unknown one is likelier to lie too. So
the mean of those around a prediction is nearer to the truth than the prediction, and most of all
undoes what a regressor has been damped by. Only vectors of the known prompts are needed, no texts.

With m the mean prompt and b the blend of other members, a known prompt v weighs
``exp(sharpness * cos(b - m, v - m))`` among the ``nearest``, and nothing beyond.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from prompt_ensemble.core.embeddings import Embeddings, Encode, unit_rows
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.members.contract import Batch, OpenedModel, Predictor
from prompt_ensemble.models.weights import weights_digest

if TYPE_CHECKING:
    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.packed_bank import PackedBank
    from prompt_ensemble.models.weights import WeightRoots


@dataclass(frozen=True)
class VoteOptions:
    """Whose vectors are looked up, and how the known prompts around them are weighed."""

    vectors_from: tuple[str, ...] = ()
    """Names of the members whose blend is looked up."""
    shares: tuple[float, ...] = ()
    """Share of each in that blend; equal ones if none are given."""
    nearest: int = 2000
    sharpness: float = 25.0


class VotePredictor(Predictor):
    """Looks a blend of other members up in a bank of vectors, which is its weights."""

    Options = VoteOptions
    options: VoteOptions

    def __init__(self, weights: str, options: VoteOptions, roots: WeightRoots) -> None:
        super().__init__(weights, options, roots)
        if not options.vectors_from:
            raise BadConfig("a member of kind 'vote' needs the option vectors_from, some members")
        if options.shares and len(options.shares) != len(options.vectors_from):
            raise BadConfig("options of 'vote': give a share for each member in vectors_from")
        if options.nearest < 1 or options.sharpness <= 0 or any(s < 0 for s in options.shares):
            raise BadConfig(
                "options of 'vote': nearest must be 1 or more, sharpness above 0, shares 0 or more"
            )
        self.path = roots.find(weights).path

    def identity(self) -> Mapping[str, object]:
        """Options and the bank's digest; the vectors' members are added by the pipeline."""
        return asdict(self.options) | {"bank": weights_digest(self.path)}

    def check(self) -> None:
        """The bank is there and whole."""
        from prompt_ensemble.models.packed_bank import PackedBank

        PackedBank.load(self.path)

    def needs(self) -> tuple[str, ...]:
        """The members whose blend is looked up."""
        return self.options.vectors_from

    def open(self, placement: Placement, progress: Progress = silent) -> OpenedModel:
        """The bank on the device."""
        from prompt_ensemble.models.packed_bank import PackedBank

        return _OpenedVote(PackedBank.load(self.path), self.options, placement)

    def embed(self, outputs: Outputs, encode: Encode) -> Embeddings:
        """The weighted means."""
        return Embeddings.of(outputs.image_ids, outputs.vectors)


class _OpenedVote(OpenedModel):
    """The bank, unpacked on the device."""

    reads_pixels = False

    def __init__(self, bank: PackedBank, options: VoteOptions, placement: Placement) -> None:
        import torch
        from torch.nn.functional import normalize

        self.options = options
        self.device = placement.device
        self.mean = torch.from_numpy(bank.mean).to(placement.device)
        self.rows = torch.from_numpy(bank.rows()).to(placement.device)
        self.directions = normalize(self.rows - self.mean, dim=1)

    def run(self, batch: Batch) -> Outputs:
        """The mean of the known prompts around each image's blend."""
        import torch
        from torch.nn.functional import normalize

        # Full precision even under autocast: the products are small.
        with torch.autocast(self.device.type, enabled=False):
            blended = torch.from_numpy(self._blend(batch)).to(self.device)
            cosines = normalize(blended - self.mean, dim=1) @ self.directions.T
            nearest = cosines.topk(min(self.options.nearest, len(self.rows)))
            weights = (self.options.sharpness * nearest.values).softmax(1)
            means = torch.stack(
                [
                    row @ self.rows[chosen]
                    for row, chosen in zip(weights, nearest.indices, strict=True)
                ]
            )
        return Outputs.of_vectors(batch.image_ids, means.cpu().numpy())

    def _blend(self, batch: Batch) -> np.ndarray:
        """The weighted mean of the other members' unit rows."""
        names = self.options.vectors_from
        shares = self.options.shares or (1.0,) * len(names)
        rows = [
            np.float32(share) * unit_rows(batch.needed[name].vectors)
            for name, share in zip(names, shares, strict=True)
        ]
        return unit_rows(np.sum(rows, axis=0))

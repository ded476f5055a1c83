"""A vote of known prompts as a member: each counts by how likely it makes the prediction.

Prompts are not spread evenly: where many known ones lie, an unknown one is likelier to lie too. So
the blend b of other members is taken for what it is, an estimate with errors of a known kind, and
the known prompts for a sample of what prompts there are. The answer is then their mean, each
weighed by ``exp(trust * log p(b | prompt))``: the mean of the posterior. It lies nearer to the
truth than the blend, and undoes what regressors are damped by. Only vectors are needed, no texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from prompt_ensemble.core.blend import blend
from prompt_ensemble.core.embeddings import Embeddings, Encode
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.members.contract import Batch, OpenedModel, Predictor
from prompt_ensemble.models.weights import weights_digest

if TYPE_CHECKING:
    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.error_model import ErrorModel
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
    """Known prompts that count, the likeliest ones."""
    trust: float = 0.2
    """Share of the log-likelihood that counts. It is a sum over directions as if their errors had
    nothing to do with each other, and so too sure of itself."""


class VotePredictor(Predictor):
    """Looks a blend of other members up among known prompts, which are its weights."""

    Options = VoteOptions
    options: VoteOptions

    def __init__(self, weights: str, options: VoteOptions, roots: WeightRoots) -> None:
        super().__init__(weights, options, roots)
        if not options.vectors_from:
            raise BadConfig("a member of kind 'vote' needs the option vectors_from, some members")
        if options.shares and len(options.shares) != len(options.vectors_from):
            raise BadConfig("options of 'vote': give a share for each member in vectors_from")
        if options.nearest < 1 or options.trust <= 0 or any(s < 0 for s in options.shares):
            raise BadConfig(
                "options of 'vote': nearest must be 1 or more, trust above 0, shares 0 or more"
            )
        self.path = roots.find(weights).path

    def identity(self) -> Mapping[str, object]:
        """Options and the bank's digest; the vectors' members are added by the pipeline."""
        return asdict(self.options) | {"bank": weights_digest(self.path)}

    def check(self) -> None:
        """Known prompts and errors are there and whole."""
        from prompt_ensemble.models.error_model import ErrorModel
        from prompt_ensemble.models.packed_bank import PackedBank

        PackedBank.load(self.path)
        ErrorModel.load(self.path)

    def needs(self) -> tuple[str, ...]:
        """The members whose blend is looked up."""
        return self.options.vectors_from

    def open(self, placement: Placement, progress: Progress = silent) -> OpenedModel:
        """The known prompts on the device."""
        from prompt_ensemble.models.error_model import ErrorModel
        from prompt_ensemble.models.packed_bank import PackedBank

        known, errors = PackedBank.load(self.path), ErrorModel.load(self.path)
        return _OpenedVote(known, errors, self.options, placement)

    def embed(self, outputs: Outputs, encode: Encode) -> Embeddings:
        """The weighted means."""
        return Embeddings.of(outputs.image_ids, outputs.vectors)


class _OpenedVote(OpenedModel):
    """The known prompts, unpacked on the device."""

    reads_pixels = False

    def __init__(
        self, known: PackedBank, errors: ErrorModel, options: VoteOptions, placement: Placement
    ) -> None:
        import torch

        self.options = options
        self.device = placement.device
        rows = known.rows()
        arrays = (rows, *errors.keys(rows), errors.centre)
        self.rows, self.keys, self.norms, self.centre = (
            torch.from_numpy(array).to(placement.device) for array in arrays
        )

    def run(self, batch: Batch) -> Outputs:
        """The mean of the known prompts, by their likelihood given each image's blend."""
        import torch

        # Full precision even under autocast: the products are small.
        with torch.autocast(self.device.type, enabled=False):
            differences = torch.from_numpy(self._blend(batch)).to(self.device) - self.centre
            likely = self.options.trust * (differences @ self.keys.T - self.norms)
            best = likely.topk(min(self.options.nearest, len(self.rows)))
            voters = zip(best.values.softmax(1), best.indices, strict=True)
            means = torch.stack([weights @ self.rows[rows] for weights, rows in voters])
        return Outputs.of_vectors(batch.image_ids, means.cpu().numpy())

    def _blend(self, batch: Batch) -> np.ndarray:
        """The weighted mean of the other members' unit rows."""
        names = self.options.vectors_from
        shares = self.options.shares or (1.0,) * len(names)
        parts = {n: Embeddings.of(batch.image_ids, batch.needed[n].vectors) for n in names}
        return blend(parts, dict(zip(names, shares, strict=True))).vectors

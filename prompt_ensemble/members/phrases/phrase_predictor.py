"""Phrases as a member: those nearest to where a regressor says the prompt lies.

The regressor answers in the space of the sentence encoder, where phrases can be embedded too. So
the same vector that predicts the prompt finds the mediums, movements and artists near to it, and
their weighted mean is a second, smoother opinion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from prompt_ensemble.core.embeddings import Embeddings, Encode, unit_rows
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.core.weighted_mean import inverse_power_shares
from prompt_ensemble.data.phrase_lists import load_phrases
from prompt_ensemble.members.contract import Batch, OpenedModel, Predictor
from prompt_ensemble.models.sentence_encoder import SentenceEncoder

if TYPE_CHECKING:
    import torch

    from prompt_ensemble.data.phrase_bank import PhraseBank
    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.weights import WeightRoots


@dataclass(frozen=True)
class PhraseOptions:
    """Which phrases are looked through, and how they become a vector."""

    vectors_from: str = ""
    """Name of the member whose vectors are looked up."""
    banks: tuple[str, ...] = ("mediums", "movements", "artists")
    shown: int = 3
    """Phrases named for each image and bank."""
    nearest: int = 50
    """Phrases whose weighted mean is the vector."""
    power: float = 4.0
    """Weight of a phrase: one over its cosine distance to this power."""


class PhrasePredictor(Predictor):
    """Looks another member's vectors up in banks of phrases; it needs no picture and no weights."""

    Options = PhraseOptions

    def __init__(self, weights: str, options: PhraseOptions, roots: WeightRoots) -> None:
        super().__init__(weights, options, roots)
        if not options.vectors_from:
            raise BadConfig("a member of kind 'phrases' needs the option vectors_from, a member")
        if options.nearest < 1 or options.shown < 0 or not options.banks:
            raise BadConfig(
                "options of a 'phrases' member: nearest must be 1 or more, shown 0 or more, and "
                "banks must name a list of phrases at least"
            )
        self.lists = [load_phrases(source) for source in options.banks]

    @cached_property
    def encoder_digest(self) -> str:
        """Digest of the encoder the banks are made with."""
        return SentenceEncoder().digest

    def identity(self) -> Mapping[str, object]:
        """Options, lists and encoder; the vectors' member is added by the pipeline."""
        digests = {phrases.name: phrases.digest for phrases in self.lists}
        return asdict(self.options) | {"lists": digests, "encoder": self.encoder_digest}

    def needs(self) -> tuple[str, ...]:
        """The member whose vectors are looked up."""
        return (self.options.vectors_from,)

    def open(self, placement: Placement, progress: Progress = silent) -> OpenedModel:
        """Banks on the device; those not in the cache are embedded now."""
        from prompt_ensemble.data.phrase_bank import open_bank

        encode = partial(SentenceEncoder(placement=placement).encode, progress=progress)
        banks = [open_bank(one, self.encoder_digest, encode) for one in self.lists]
        return _OpenedPhrases(banks, self.options, placement)

    def embed(self, outputs: Outputs, encode: Encode) -> Embeddings:
        """The weighted means of the nearest phrases."""
        return Embeddings.of(outputs.image_ids, outputs.vectors)


class _OpenedPhrases(OpenedModel):
    """Banks on the device."""

    reads_pixels = False

    def __init__(
        self,
        banks: Sequence[PhraseBank],
        options: PhraseOptions,
        placement: Placement,
    ) -> None:
        import torch

        self.banks = banks
        self.options = options
        self.vectors = [
            torch.from_numpy(np.array(bank.vectors)).to(placement.device, torch.float32)
            for bank in banks
        ]
        self.everything = torch.cat(self.vectors)
        self.device = placement.device

    def run(self, batch: Batch) -> Outputs:
        """Nearest phrases of each bank, and the mean of the nearest of all banks."""
        import torch

        where = unit_rows(batch.needed[self.options.vectors_from].vectors)
        # Full precision even under autocast: the products are small, the cosines are shown.
        with torch.autocast(self.device.type, enabled=False):
            images = torch.from_numpy(where).to(self.device)
            named = [self.name(images, number) for number in range(len(self.banks))]
            lines = zip(*named, strict=True)
            vectors = self.mean_of_nearest(images)
        joined = tuple(tuple(line for bank in row for line in bank) for row in lines)
        return Outputs(batch.image_ids, joined, vectors)

    def name(self, images: torch.Tensor, number: int) -> list[list[Line]]:
        """For each image the nearest phrases of one bank."""
        from prompt_ensemble.models.exact_ranking import top_phrases

        bank = self.banks[number]
        if not self.options.shown:
            return [[] for _ in images]
        cosines, numbers = top_phrases(images, self.vectors[number], self.options.shown)
        kind = bank.name.removesuffix("s")
        return [
            [Line(kind, bank.phrases[at], cosine) for cosine, at in zip(*row, strict=True)]
            for row in zip(cosines.tolist(), numbers.tolist(), strict=True)
        ]

    def mean_of_nearest(self, images: torch.Tensor) -> np.ndarray:
        """Weighted mean of the nearest phrases' vectors, ``(N, 384)`` float32."""
        import torch

        from prompt_ensemble.models.exact_ranking import top_phrases

        cosines, numbers = top_phrases(images, self.everything, self.options.nearest)
        shares = torch.from_numpy(
            inverse_power_shares(cosines.cpu().numpy(), self.options.power, nearest=1e-6)
        ).to(self.device)
        mean = (shares[:, :, None] * self.everything[numbers]).sum(dim=1)
        rows: np.ndarray = mean.float().cpu().numpy()
        return rows

"""A captioner that ``train captioner`` made: a published tower and a decoder of our own.

It looks at images itself, or takes the features that a regressor with the same tower has kept, so
that the tower need not run twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.core.seen_prompts import TRAINED_ON
from prompt_ensemble.members.captioners.caption_predictor import CaptionOptions, CaptionPredictor
from prompt_ensemble.members.contract import Batch, OpenedModel
from prompt_ensemble.models.folders import check_configs, opening
from prompt_ensemble.models.text_generation.generation import Generation

if TYPE_CHECKING:
    import torch

    from prompt_ensemble.core.progress import Progress
    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.text_decoder.captioner import CaptionerCard
    from prompt_ensemble.models.text_generation.decoding import Decoding
    from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner


@dataclass(frozen=True)
class _TrainedOptions(CaptionOptions):
    """Its own option."""

    features_from: str = ""
    """Name of a member with the same tower that keeps its features; empty to look itself."""


class TrainedCaptionerPredictor(CaptionPredictor):
    """Beam search over a decoder that attends to the tower's features."""

    Options: ClassVar[type[_TrainedOptions]] = _TrainedOptions
    default_weights: ClassVar[str] = "embedded-captioner"
    published = Generation(num_beams=3, max_length=48, no_repeat_ngram_size=2)
    options: _TrainedOptions

    @cached_property
    def card(self) -> CaptionerCard:
        """What the folder says that the captioner consists of."""
        from prompt_ensemble.models.text_decoder.captioner import read_captioner_card

        return read_captioner_card(self.path)

    def saved_generation(self) -> Generation:
        """The usual, within what the decoder has positions for."""
        usual = super().saved_generation()
        return replace(usual, max_length=min(usual.max_length, self.card.decoder.longest))

    def identity(self) -> Mapping[str, object]:
        """The usual, and digests of the tower's published weights."""
        from prompt_ensemble.models.weights import weights_digest

        paths = [self.roots.find(name).path for name in self.card.tower.backbones]
        return {**super().identity(), "backbones": [weights_digest(path) for path in paths]}

    def check(self) -> None:
        """The description is whole, and the tower's weights are there."""
        check_configs(self.path)
        for name in self.card.tower.backbones:
            self.roots.find(name)

    def trained_on(self) -> Path | None:
        """The list of training prompts in the folder."""
        path = self.path / TRAINED_ON
        return path if path.is_file() else None

    def needs(self) -> tuple[str, ...]:
        """The member whose features are taken."""
        return (self.options.features_from,) if self.options.features_from else ()

    def open(self, placement: Placement, progress: Progress | None = None) -> OpenedModel:
        """The captioner on its device, with its tower unless another member looks for it."""
        if not self.options.features_from:
            return super().open(placement)
        with opening(self.path):
            source, card = self.options.features_from, self.card
            width = card.features * max(1, card.cells**2)
            return _OpenedOnFeatures(self.load(placement), source, width, placement.device)

    def load(self, placement: Placement) -> SearchingCaptioner:
        """Decoder, word pieces and, if it looks itself, the tower."""
        from prompt_ensemble.models.image_towers.feature_maps import features_in_cells
        from prompt_ensemble.models.image_towers.image_tower import (
            build_tower,
            frozen,
            load_backbones,
        )
        from prompt_ensemble.models.text_decoder.captioner import load_captioner
        from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner
        from prompt_ensemble.models.text_generation.token_rules import TokenRules

        captioner, words = load_captioner(self.path)
        captioner.to(placement.device)

        def from_features(features: torch.Tensor) -> Decoding:
            return captioner.decoder.begin(captioner.read(features))

        def from_pixels(pixels: torch.Tensor) -> Decoding:
            return from_features(features_in_cells(tower, pixels, cells))

        cells = self.card.cells
        begin: Callable[[torch.Tensor], Decoding] = from_features
        if not self.options.features_from:
            tower = build_tower(self.card.tower)
            load_backbones(tower, self.card.tower, self.roots)
            tower = tower.eval().to(placement.device)
            tower, begin = (tower if cells else frozen(tower, placement.device)), from_pixels
        return SearchingCaptioner(
            self.card.preprocessing,
            begin,
            prompt=[words.start],
            end=words.end,
            read=words.read,
            generation=self.generation,
            longest=self.card.decoder.longest,
            rules=TokenRules(never=words.never, never_first=(words.end,)),
            draws_alike=True,  # with its own tower and with another member's features
        )


class _OpenedOnFeatures(OpenedModel):
    """The decoder alone, over features that another member kept."""

    reads_pixels = False

    def __init__(
        self, captioner: SearchingCaptioner, source: str, width: int, device: torch.device
    ) -> None:
        self.captioner = captioner
        self.source = source
        self.width = width
        self.device = device

    def run(self, batch: Batch) -> Outputs:
        """Captions of a batch, before any wording."""
        import torch

        rows = batch.needed[self.source].features
        if rows is None:
            raise BadConfig(
                f"member {self.source!r} keeps no features for the captioner; set its option "
                "keep_features = true"
            )
        if rows.shape[1] != self.width:
            raise BadConfig(
                f"member {self.source!r} keeps {rows.shape[1]} features an image, the captioner "
                f"was trained on {self.width}; name a member with the captioner's own tower, or "
                "leave features_from out"
            )
        features = torch.from_numpy(rows).to(self.device)
        lines = self.captioner.describe(self.captioner.begin(features), features)
        return Outputs.of_lines(batch.image_ids, lines)

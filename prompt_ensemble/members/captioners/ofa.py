"""OFA as a captioner of the ensemble."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from prompt_ensemble.members.captioners.caption_predictor import CaptionOptions, CaptionPredictor
from prompt_ensemble.models.text_generation.generation import Generation

if TYPE_CHECKING:
    import torch

    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.ofa.model import Ofa
    from prompt_ensemble.models.text_generation.decoding import Decoding
    from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner

PUBLISHED: Final = {
    "generate": Generation(num_beams=5, no_repeat_ngram_size=3, scoring="2023"),
    "fairseq": Generation(num_beams=5, max_length=18, min_length=2, no_repeat_ngram_size=3),
}
"""The call on the model cards, and the authors' evaluation."""


@dataclass(frozen=True)
class _OfaOptions(CaptionOptions):
    """OFA's own options."""

    search: Literal["generate", "fairseq"] = "generate"
    """As on the authors' model cards, or as in their own evaluation."""
    question: str | None = None
    """What OFA is asked; None for the question its captioners were trained with."""


class OfaPredictor(CaptionPredictor):
    """OFA, tiny to huge: a folder as the authors publish it, or their ``.pt`` file."""

    stored_as = "prompt_ensemble.captioners.ofa.captioner:OfaPredictor"
    Options: ClassVar[type[_OfaOptions]] = _OfaOptions
    default_weights: ClassVar[str] = "OFA-large-caption"
    options: _OfaOptions

    @classmethod
    def published_for(cls, options: CaptionOptions) -> Generation:
        """What the chosen search is published with."""
        assert isinstance(options, _OfaOptions)
        return PUBLISHED[options.search]

    def load(self, placement: Placement) -> SearchingCaptioner:
        """The network on the device."""
        from prompt_ensemble.models.ofa.checkpoint import load_ofa
        from prompt_ensemble.models.ofa.model import PREPROCESSING, PROMPT
        from prompt_ensemble.models.text_generation.searching_captioner import (
            FairseqCaptioner,
            SearchingCaptioner,
        )

        model, tokenizer = load_ofa(self.path)
        config = model.config
        question = PROMPT if self.options.question is None else self.options.question
        ids = tokenizer.encode(question)
        generation = self.generation.settled(prompt=1)
        kind = SearchingCaptioner if self.options.search == "generate" else FairseqCaptioner
        return kind(
            PREPROCESSING,
            partial(begin, model.to(placement.device), ids, generation),
            prompt=[config.bos_token_id],
            end=config.eos_token_id,
            read=lambda tokens: tokenizer.decode(tokens).strip(),
            generation=generation,
            longest=config.max_position_embeddings,
            end_is_free=True,
            pad=config.pad_token_id,
        )


def begin(
    model: Ofa, question: list[int], generation: Generation, pixels: torch.Tensor
) -> Decoding:
    """A decoding that has read the images together with the question once."""
    import torch

    ids = torch.tensor([question], device=pixels.device).expand(len(pixels), -1)
    decoding, _ = model.begin(model.encode(ids, pixels), generation)
    return decoding

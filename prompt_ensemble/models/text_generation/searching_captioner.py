"""A captioner made of its parts: preprocessing, network, search, tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.outputs import Line
from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.models.text_generation.beam_search import fairseq_search, search_captions
from prompt_ensemble.models.text_generation.decoding import Decoding, Hypothesis
from prompt_ensemble.models.text_generation.generation import Generation
from prompt_ensemble.models.text_generation.sampling import sample, shared_streams, streams
from prompt_ensemble.models.text_generation.token_rules import NO_RULES, TokenRules


@dataclass(frozen=True)
class SearchingCaptioner:
    """Encodes each image once, then searches for its captions, all images side by side."""

    preprocessing: Preprocessing
    begin: Callable[[torch.Tensor], Decoding]
    """Normalised pixels to a decoding that has encoded the images once."""
    prompt: Sequence[int]
    """The start token, and words that every caption continues without containing them."""
    end: int
    read: Callable[[list[int]], str]
    """Tokens after the prompt to text."""
    generation: Generation
    longest: int
    """Tokens the model has positions for."""
    end_is_free: bool = False
    """Whether a caption of full length ends without cost ("forced end" in a configuration)."""
    rules: TokenRules = NO_RULES
    """Rules of the model's files about single tokens."""
    pad: int = 0
    """A token that fairseq's search must never choose."""
    draws_alike: bool = False
    """Whether sampling uses the same random numbers for all images, whatever their pixels."""

    def __post_init__(self) -> None:
        start = len(self.prompt) + len(self.rules.opening(len(self.prompt)))
        longest = self.generation.settled(len(self.prompt)).max_length
        if not start < longest <= self.longest:
            raise BadConfig(
                f"max_length={longest} does not fit: this model starts with {start} tokens and has "
                f"room for {self.longest}"
            )

    def prepare(self, image: Image.Image) -> torch.Tensor:
        """A picture as the model's recipe wants it."""
        return self.preprocessing.prepare(image)

    def caption(self, pixels: torch.Tensor) -> list[tuple[Line, ...]]:
        """Captions of each image of a ``(B, 3, H, W)`` uint8 batch, on the device, best first."""
        return self.describe(self.begin(self.preprocessing.normalise(pixels)), pixels)

    def describe(self, decoding: Decoding, inputs: torch.Tensor) -> list[tuple[Line, ...]]:
        """Captions of the images that a decoding has encoded from these ``inputs``."""
        return [
            tuple(Line("caption", self.read(best.tokens), best.score) for best in hypotheses)
            for hypotheses in self.search(decoding, inputs)
        ]

    def search(self, decoding: Decoding, inputs: torch.Tensor) -> list[list[Hypothesis]]:
        """Sampled captions, or those of a search."""
        prompt = torch.tensor([list(self.prompt)], device=inputs.device).expand(len(inputs), -1)
        if self.generation.do_sample:
            opened = (
                shared_streams(self.generation)
                if self.draws_alike
                else streams(inputs, self.generation)
            )
            return sample(decoding, prompt, self.end, self.generation, opened, self.rules)
        return self.likeliest(decoding, prompt)

    def likeliest(self, decoding: Decoding, prompt: torch.Tensor) -> list[list[Hypothesis]]:
        """Greedy or beam search as ``generate`` of transformers has it."""
        return search_captions(
            decoding,
            prompt,
            self.end,
            self.generation,
            end_is_free=self.end_is_free,
            rules=self.rules,
        )


class FairseqCaptioner(SearchingCaptioner):
    """The same with fairseq's beam search."""

    def likeliest(self, decoding: Decoding, prompt: torch.Tensor) -> list[list[Hypothesis]]:
        """The first captions that finish."""
        generation = self.generation.settled(prompt.shape[1])
        return fairseq_search(decoding, prompt, self.end, self.pad, generation)

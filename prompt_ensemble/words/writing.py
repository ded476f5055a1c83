"""Candidate prompts from the prompt writer: many are drawn for each target, all images at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from prompt_ensemble.core.text_faults import is_sound
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.text_decoder.vocabulary import END, PAD, START, UNKNOWN, read_tokens
from prompt_ensemble.models.text_decoder.writer import load_writer
from prompt_ensemble.models.text_generation.generation import Generation
from prompt_ensemble.models.text_generation.sampling import sample
from prompt_ensemble.models.text_generation.token_rules import TokenRules

_RULES = TokenRules(never=(PAD, START, UNKNOWN), never_first=(END,))
_NO_REPEAT = 3
"""Words that never come twice in the same order."""
_SEED = 7


@dataclass(frozen=True)
class Candidate:
    """A text that may be the prompt, and how fluent it is: its mean log-likelihood per piece."""

    text: str
    fluency: float


class PromptWriter:
    """A writer on its device."""

    def __init__(self, folder: Path, placement: Placement) -> None:
        self.network, self.tokenizer, self.card = load_writer(folder)
        self.network.to(placement.device)
        self.placement = placement

    @torch.inference_mode()
    def write(
        self, vectors: np.ndarray, count: int, temperature: float, longest: int = 40
    ) -> list[list[Candidate]]:
        """Up to ``count`` distinct sound candidates for each embedding, the most fluent first.

        Every image is given the same random numbers, so that it gets the same texts in any batch.
        """
        device = self.placement.device
        generation = Generation(
            max_length=min(longest, self.card.decoder.longest), num_return_sequences=count,
            do_sample=True, temperature=temperature, no_repeat_ngram_size=_NO_REPEAT,
        )  # fmt: skip
        # Full precision: the network is small, and near ties are drawn alike on every device.
        with torch.autocast(device.type, enabled=False):
            memory = self.network.read(torch.from_numpy(vectors).float().to(device))
            decoding = self.network.decoder.begin(memory)
            prompt = torch.full((len(vectors), 1), START, device=device)
            streams = [torch.Generator().manual_seed(_SEED + number) for number in range(count)]
            written = sample(decoding, prompt, END, generation, streams, _RULES)
        return [
            _sound([(read_tokens(self.tokenizer, one.tokens), one.score) for one in image])
            for image in written
        ]


def _sound(texts: Sequence[tuple[str, float]]) -> list[Candidate]:
    """Distinct texts without repetition, broken pieces or nothing in them.

    A part between commas that comes again is left out.
    """
    kept: dict[str, float] = {}
    for written, score in texts:
        text = ", ".join(dict.fromkeys(written.strip(" ,.;:-").split(", ")))
        if is_sound(text):
            kept.setdefault(text, score)
    return [Candidate(text, score) for text, score in kept.items()]

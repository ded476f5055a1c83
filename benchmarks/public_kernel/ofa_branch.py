"""OFA in batches of 24, the whole prefix run again for every word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from torchvision.transforms import Compose, InterpolationMode, Normalize, Resize, ToTensor

from prompt_ensemble.models.ofa.checkpoint import load_ofa
from prompt_ensemble.models.ofa.encoder import Memory
from prompt_ensemble.models.ofa.model import PROMPT, Ofa
from prompt_ensemble.models.text_generation.beam_search import search_captions
from prompt_ensemble.models.text_generation.generation import Generation

BATCH = 24
SUFFIX = ", fine details, masterpiece"
GENERATION = Generation(num_beams=5, no_repeat_ngram_size=2)
HALF = (0.5, 0.5, 0.5)


class WholePrefix:
    """A decoding that remembers only the words, as ``use_cache=False`` does."""

    def __init__(self, model: Ofa, memory: Memory) -> None:
        self.model = model
        self.memory = memory
        self.words = torch.empty(0, dtype=torch.long)

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        self.words = torch.cat([self.words, tokens], 1) if len(self.words) else tokens
        beams = len(self.words) // len(self.memory.hidden)
        copies = replace(self.memory, hidden=self.memory.hidden.repeat_interleave(beams, 0))
        return self.model.logits(self.words, copies)[:, -1]

    def reorder(self, rows: torch.Tensor) -> None:
        self.words = self.words[rows]


@torch.inference_mode()
def ofa_captions(folder: Path, files: Sequence[Path], device: str) -> list[str]:
    """A caption a file, with the kernel's words behind it."""
    model, tokenizer = load_ofa(folder)
    model = model.to(device).eval()
    look = Compose(
        [Resize((480, 480), InterpolationMode.BICUBIC), ToTensor(), Normalize(HALF, HALF)]
    )
    question = torch.tensor([tokenizer.encode(PROMPT)], device=device)
    captions = []
    for start in range(0, len(files), BATCH):
        pictures = [Image.open(file).convert("RGB") for file in files[start : start + BATCH]]
        pixels = torch.stack([look(picture) for picture in pictures]).to(device)
        memory = model.encode(question.expand(len(pixels), -1), pixels)
        _, begin = model.begin(memory, GENERATION)
        found = search_captions(
            WholePrefix(model, memory), begin, model.config.eos_token_id, GENERATION,
            end_is_free=True,
        )  # fmt: skip
        captions += [
            tokenizer.decode(hypotheses[0].tokens).strip() + SUFFIX for hypotheses in found
        ]
    return captions

"""Training of a captioner from features of images and their texts, in one call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from prompt_ensemble import __version__
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.models.image_towers.image_tower import TowerSpec
from prompt_ensemble.models.text_decoder.captioner import Captioner, CaptionerCard
from prompt_ensemble.models.text_decoder.decoder import DecoderSpec
from prompt_ensemble.models.text_decoder.vocabulary import encode_texts, learn_vocabulary
from prompt_ensemble.models.text_decoder.writer import load_writer
from prompt_ensemble.training.captioner.recipe import CaptionerRecipe
from prompt_ensemble.training.decoder_loop import DecoderLoop


@dataclass(frozen=True, eq=False)
class CaptionExamples:
    """Features of images and tokens of their texts, on the device."""

    features: torch.Tensor
    tokens: torch.Tensor
    cumulative: torch.Tensor
    """``(N,)`` running sums of the rows' chances to be drawn."""
    noise: torch.Tensor
    """``(F,)`` size of what is added to each feature."""

    def batch(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """Tokens and features of rows drawn by their chances."""
        device = self.features.device
        places = torch.rand(count, generator=generator, device=device) * self.cumulative[-1]
        rows = torch.searchsorted(self.cumulative, places).clamp(max=len(self.cumulative) - 1)
        features = self.features[rows].float()
        drawn = torch.randn(features.shape, generator=generator, device=device)
        return self.tokens[rows].long(), features + self.noise * drawn


def row_chances(
    texts: Sequence[str], tiers: Sequence[str], shares: Mapping[str, float]
) -> np.ndarray:
    """Each row's chance to be drawn: its tier's share over the images of its text."""
    images = Counter(texts)
    return np.array(
        [shares.get(tier, 1.0) / images[text] for text, tier in zip(texts, tiers, strict=True)]
    )


class _CaptionLoss(nn.Module):
    """The loss of a batch, as the loop wants it."""

    def __init__(self, captioner: Captioner, smoothing: float) -> None:
        super().__init__()
        self.captioner = captioner
        self.smoothing = smoothing

    def forward(self, tokens: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy of the next tokens."""
        memory = self.captioner.read(features)
        smoothing = self.smoothing if self.training else 0.0
        return self.captioner.decoder.loss(tokens, memory, smoothing)


def fit_captioner(
    features: np.ndarray,
    texts: Sequence[str],
    chances: np.ndarray,
    tower: tuple[TowerSpec, Preprocessing],
    recipe: CaptionerRecipe,
    out: Path,
    *,
    writer: Path | None = None,
    checkpoint_every: int = 500,
    stop_after: int | None = None,
    cpu: bool = False,
    progress: Progress = silent,
) -> tuple[Captioner, Any, CaptionerCard]:
    """A captioner, its word pieces and its description; resumes what ``out`` holds.

    ``writer`` is the folder of a prompt writer whose decoder training starts from; its word pieces
    are kept.
    """
    accelerator = Accelerator(mixed_precision=recipe.precision, cpu=cpu)
    torch.manual_seed(recipe.seed)
    started = load_writer(writer) if writer else None
    if started:
        tokenizer, spec = started[1], started[2].decoder
    else:
        tokenizer = learn_vocabulary(texts, recipe.vocabulary)
        spec = DecoderSpec(
            recipe.decoder, tokenizer.get_vocab_size(), recipe.width, recipe.layers, recipe.heads,
            recipe.longest, recipe.dropout,
        )  # fmt: skip
    squares = max(1, recipe.cells**2)
    width = features.shape[1] // squares
    record = {
        "recipe": asdict(recipe), "pairs": len(texts),
        "versions": {"prompt_ensemble": __version__, "torch": torch.__version__},
    }  # fmt: skip
    card = CaptionerCard(*tower, spec, width, recipe.cells, recipe.rows, record)
    captioner = Captioner(card)
    if started:
        captioner.decoder.load_state_dict(started[0].decoder.state_dict())
    device = accelerator.device
    rows = torch.from_numpy(features).to(device)
    examples = CaptionExamples(
        rows, encode_texts(tokenizer, texts, spec.longest).to(torch.int16).to(device),
        torch.from_numpy(np.cumsum(chances)).float().to(device),
        rows.float().std(0) * recipe.feature_noise,
    )  # fmt: skip
    loop = DecoderLoop(_CaptionLoss(captioner, recipe.smoothing), recipe, accelerator)
    loop.train(
        examples, out, checkpoint_every=checkpoint_every, stop_after=stop_after, progress=progress
    )
    loop.network.load_state_dict(loop.average.state)
    return captioner.eval(), tokenizer, card

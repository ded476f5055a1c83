"""Self-critical training: a captioner learns from captions of its own, by how good they are.

Teacher forcing makes each next word likely; what counts is how near the whole caption's embedding
is to the true prompt's. So several captions of each image are drawn, and each one's reward, less
the mean of the others', says how much likelier it should become: REINFORCE with the baseline of
the other samples, where Rennie et al. (2017) take the greedy caption.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from prompt_ensemble.core.embeddings import Encode, unit_rows
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.models.text_decoder.captioner import Captioner
from prompt_ensemble.models.text_decoder.word_pieces import WordPieces
from prompt_ensemble.training.captioner.examples import CaptionExamples
from prompt_ensemble.training.captioner.recipe import CaptionerRecipe
from prompt_ensemble.training.decoder_loop import DecoderLoop

Reward = Callable[[Sequence[str], np.ndarray], np.ndarray]
"""Captions, and the rows of the examples whose images they are of, to ``(N,)`` rewards."""
_CAPTIONS = 5
"""Drawn of each image of a batch."""
_FOLDER = "self-critical"


def closeness(encode: Encode, truth: np.ndarray) -> Reward:
    """The cosine of a caption with the true prompt, whose unit rows ``truth`` are."""

    def reward(captions: Sequence[str], rows: np.ndarray) -> np.ndarray:
        cosines: np.ndarray = np.einsum("ij,ij->i", unit_rows(encode(captions)), truth[rows])
        return cosines

    return reward


def train_self_critically(
    captioner: Captioner,
    words: WordPieces,
    examples: CaptionExamples,
    reward: Reward,
    recipe: CaptionerRecipe,
    out: Path,
    accelerator: Accelerator,
    *,
    checkpoint_every: int = 500,
    stop_after: int | None = None,
    progress: Progress = silent,
) -> None:
    """Train on, resuming what ``out/self-critical`` holds; the captioner ends as the average."""
    steps = replace(recipe, steps=recipe.self_critical_steps, rate=recipe.self_critical_rate)
    drawn = DrawnCaptions(captioner, words, examples, reward)
    loop = DecoderLoop(_SelfCriticalLoss(captioner, words), steps, accelerator)
    loop.train(
        drawn, out / _FOLDER, judge=drawn.mean_reward, checkpoint_every=checkpoint_every,
        stop_after=stop_after, progress=progress,
    )  # fmt: skip
    loop.put(loop.average.state)


class DrawnCaptions:
    """Batches of captions that the captioner draws itself, and how much better each is."""

    def __init__(
        self, captioner: Captioner, words: WordPieces, examples: CaptionExamples, reward: Reward
    ) -> None:
        self.captioner = captioner
        self.words = words
        self.examples = examples
        self.reward = reward
        self._rewards: list[float] = []

    @torch.no_grad()
    def batch(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """Tokens, features and advantages of about ``count`` captions, several of each image."""
        images = self.examples.draw(max(1, count // _CAPTIONS), generator)
        features = self.examples.seen(images, generator).repeat_interleave(_CAPTIONS, 0)
        tokens = draw_captions(self.captioner, self.words, features, generator)
        rows = images.repeat_interleave(_CAPTIONS, 0).cpu().numpy()
        rewards = self.reward([self._read(row) for row in tokens.tolist()], rows)
        self._rewards.append(float(rewards.mean()))
        gains = advantages(torch.from_numpy(rewards).float().view(-1, _CAPTIONS))
        return tokens, features, gains.flatten().to(features.device)

    def mean_reward(self) -> dict[str, float]:
        """The mean reward since this was asked last."""
        mean = float(np.mean(self._rewards)) if self._rewards else 0.0
        self._rewards.clear()
        return {"reward": round(mean, 6)}

    def _read(self, row: Sequence[int]) -> str:
        """The text between start and end."""
        _, *said = row
        length = said.index(self.words.end) if self.words.end in said else len(said)
        return self.words.read(said[:length])


def advantages(rewards: torch.Tensor) -> torch.Tensor:
    """``(B, K)`` rewards less the mean of the same image's other captions."""
    others = rewards.shape[1] - 1
    return rewards - (rewards.sum(1, keepdim=True) - rewards) / others


def draw_captions(
    captioner: Captioner, words: WordPieces, features: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """``(R, T)`` tokens of a caption for each row, from start to end, padded."""
    decoder = captioner.decoder
    decoding = decoder.begin(captioner.read(features))
    new = torch.full((len(features), 1), words.start, device=features.device)
    finished = torch.zeros_like(new, dtype=torch.bool)
    tokens = [new]
    while len(tokens) < decoder.spec.longest and not finished.all():
        likely = without(words, decoding.step(new)).softmax(-1)
        new = torch.multinomial(likely, 1, generator=generator).masked_fill(finished, words.end)
        tokens.append(new.masked_fill(finished, decoder.pad))
        finished = finished | (new == words.end)
    return torch.cat(tokens, 1)


def without(words: WordPieces, logits: torch.Tensor) -> torch.Tensor:
    """Logits in which tokens that no text holds have no chance."""
    never = torch.tensor(words.never, dtype=torch.long, device=logits.device)
    return logits.float().index_fill(-1, never, -torch.inf)


class _SelfCriticalLoss(nn.Module):
    """REINFORCE's loss of a batch, as the loop wants it."""

    def __init__(self, captioner: Captioner, words: WordPieces) -> None:
        super().__init__()
        self.captioner = captioner
        self.words = words

    def train(self, mode: bool = True) -> _SelfCriticalLoss:
        """Never with dropout: captions are judged by the likelihood they were drawn with."""
        super().train(False)
        return self

    def forward(
        self, tokens: torch.Tensor, features: torch.Tensor, gains: torch.Tensor
    ) -> torch.Tensor:
        """Minus the mean over all tokens of gain times log-likelihood."""
        decoder, following = self.captioner.decoder, tokens[:, 1:]
        logits = decoder(tokens[:, :-1], self.captioner.read(features))
        said = following != decoder.pad
        places = following.masked_fill(~said, self.words.end)[..., None]
        likely = without(self.words, logits).log_softmax(-1).gather(-1, places)[..., 0]
        return -(gains[:, None] * likely * said).sum() / said.sum()

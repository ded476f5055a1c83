"""Self-critical training: a network learns from texts of its own, by how good they are.

Teacher forcing makes each next word likely; what counts is how near the whole text's embedding is
to the true prompt's. So several texts are drawn for each example, and each one's reward, less the
mean of the others', says how much likelier it should become: REINFORCE with the baseline of the
other samples, where Rennie et al. (2017) take the greedy caption.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from prompt_ensemble.core.embeddings import Encode, unit_rows
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.core.text_faults import is_sound
from prompt_ensemble.models.text_decoder.captioner import Captioner
from prompt_ensemble.models.text_decoder.word_pieces import WordPieces
from prompt_ensemble.models.text_decoder.writer import Writer
from prompt_ensemble.training.decoder_loop import DecoderLoop
from prompt_ensemble.training.decoder_recipe import DecoderRecipe

Reward = Callable[[Sequence[str], np.ndarray], np.ndarray]
"""Texts, and the rows of the examples that they are for, to ``(N,)`` rewards."""
_TEXTS = 5
"""Drawn for each example of a batch."""
_FAULT = 0.3
"""Taken from the reward of a text that is empty, broken or says things twice."""
_FOLDER = "self-critical"


class Examples(Protocol):
    """What texts are drawn for: images, or embeddings."""

    def draw(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """``(count,)`` rows drawn at random."""

    def seen(self, rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """``(B, F)``: what the network reads of these rows, on its device."""


def closeness(encode: Encode, truth: np.ndarray) -> Reward:
    """The cosine of a text with the true prompt, whose unit rows ``truth`` are."""

    def reward(texts: Sequence[str], rows: np.ndarray) -> np.ndarray:
        cosines: np.ndarray = np.einsum("ij,ij->i", unit_rows(encode(texts)), truth[rows])
        return cosines

    return reward


def sound_closeness(encode: Encode, truth: np.ndarray) -> Reward:
    """The same, less for a text with a fault: to say a word twice pays otherwise."""
    near = closeness(encode, truth)

    def reward(texts: Sequence[str], rows: np.ndarray) -> np.ndarray:
        faults = np.array([not is_sound(text) for text in texts])
        return near(texts, rows) - _FAULT * faults

    return reward


def train_self_critically(
    network: Captioner | Writer,
    words: WordPieces,
    examples: Examples,
    reward: Reward,
    recipe: DecoderRecipe,
    out: Path,
    accelerator: Accelerator,
    *,
    checkpoint_every: int = 500,
    stop_after: int | None = None,
    progress: Progress = silent,
) -> None:
    """Train on, resuming what ``out/self-critical`` holds; the network ends as the average."""
    steps = replace(
        recipe, steps=recipe.self_critical_steps, rate=recipe.self_critical_rate,
        batch_size=recipe.self_critical_batch,
    )  # fmt: skip
    longest = min(network.decoder.spec.longest, recipe.longest)
    drawn = DrawnTexts(network, words, examples, reward, longest)
    loop = DecoderLoop(_SelfCriticalLoss(network, words), steps, accelerator)
    loop.train(
        drawn, out / _FOLDER, judge=drawn.mean_reward, checkpoint_every=checkpoint_every,
        stop_after=stop_after, progress=progress,
    )  # fmt: skip
    loop.put(loop.average.state)


class DrawnTexts:
    """Batches of texts that the network draws itself, and how much better each is."""

    def __init__(
        self,
        network: Captioner | Writer,
        words: WordPieces,
        examples: Examples,
        reward: Reward,
        longest: int,
    ) -> None:
        self.network = network
        self.words = words
        self.examples = examples
        self.reward = reward
        self.longest = longest
        self._rewards: list[float] = []

    @torch.no_grad()
    def batch(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """Tokens, inputs and advantages of about ``count`` texts, several for each example."""
        chosen = self.examples.draw(max(1, count // _TEXTS), generator)
        inputs = self.examples.seen(chosen, generator).repeat_interleave(_TEXTS, 0)
        tokens = draw_texts(self.network, self.words, inputs, generator, self.longest)
        rows = chosen.repeat_interleave(_TEXTS, 0).cpu().numpy()
        rewards = self.reward([self._read(row) for row in tokens.tolist()], rows)
        self._rewards.append(float(rewards.mean()))
        gains = advantages(torch.from_numpy(rewards).float().view(-1, _TEXTS))
        return tokens, inputs, gains.flatten().to(inputs.device)

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
    """``(B, K)`` rewards less the mean of the same example's other texts."""
    others = rewards.shape[1] - 1
    return rewards - (rewards.sum(1, keepdim=True) - rewards) / others


def draw_texts(
    network: Captioner | Writer,
    words: WordPieces,
    inputs: torch.Tensor,
    generator: torch.Generator,
    longest: int,
) -> torch.Tensor:
    """``(R, T)`` tokens of a text for each row, from start to end, padded; T ≤ ``longest``."""
    decoder = network.decoder
    decoding = decoder.begin(network.read(inputs))
    new = torch.full((len(inputs), 1), words.start, device=inputs.device)
    finished = torch.zeros_like(new, dtype=torch.bool)
    tokens = [new]
    while len(tokens) < longest and not finished.all():
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

    def __init__(self, network: Captioner | Writer, words: WordPieces) -> None:
        super().__init__()
        self.network = network
        self.words = words

    def train(self, mode: bool = True) -> _SelfCriticalLoss:
        """Never with dropout: texts are judged by the likelihood they were drawn with."""
        super().train(False)
        return self

    def forward(
        self, tokens: torch.Tensor, inputs: torch.Tensor, gains: torch.Tensor
    ) -> torch.Tensor:
        """Minus the mean over all tokens of gain times log-likelihood."""
        decoder, following = self.network.decoder, tokens[:, 1:]
        logits = decoder(tokens[:, :-1], self.network.read(inputs))
        said = following != decoder.pad
        places = following.masked_fill(~said, self.words.end)[..., None]
        likely = without(self.words, logits).log_softmax(-1).gather(-1, places)[..., 0]
        return -(gains[:, None] * likely * said).sum() / said.sum()

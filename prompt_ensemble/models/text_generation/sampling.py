"""Sampling captions, each from a random stream of its own.

The stream is seeded by the run's seed, the image's pixels and the caption's number, so an image
has the same captions alone and in any batch. A word is drawn as the likeliest after Gumbel noise
(``argmax(log p - log(-log u))`` follows p): unlike a place in a sorted list that does not hang on
the last bit of thirty thousand probabilities.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch

from prompt_ensemble.models.text_generation.decoding import (
    Decoding,
    Hypothesis,
    LeavableDecoding,
)
from prompt_ensemble.models.text_generation.generation import Generation
from prompt_ensemble.models.text_generation.logit_rules import LogitRules
from prompt_ensemble.models.text_generation.token_rules import NO_RULES, TokenRules

_FEW = 0.8
"""Share of the captions in hand, at which those that have ended are let go."""


def streams(pixels: torch.Tensor, generation: Generation) -> list[torch.Generator]:
    """Random streams of the captions of a ``(B, 3, H, W)`` uint8 batch, image after image."""
    opened = []
    for image in pixels.cpu():
        content = image.contiguous().numpy().tobytes()
        for number in range(generation.num_return_sequences):
            digest = hashlib.sha256(f"{generation.seed} {number} ".encode() + content).digest()
            opened.append(torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1))
    return opened


def shared_streams(generation: Generation) -> list[torch.Generator]:
    """Random streams of an image's captions that are the same for all images.

    For inputs that are no pixels: their last bits differ between machines.
    """
    first = generation.seed * 1_000_003
    count = generation.num_return_sequences
    return [torch.Generator().manual_seed(first + number) for number in range(count)]


def sample(
    decoding: Decoding,
    prompt: torch.Tensor,
    end: int,
    generation: Generation,
    opened: Sequence[torch.Generator],
    rules: TokenRules = NO_RULES,
) -> list[list[Hypothesis]]:
    """Captions by image, likeliest first; ``prompt`` is ``(B, t)``.

    There is a stream for each caption of the batch, or one for each of an image's captions, which
    all images then share. Captions that have ended leave the batch where the decoding lets them.
    """
    generation = generation.settled(prompt.shape[1])
    prompts = prompt.repeat_interleave(generation.num_return_sequences, 0)
    logit_rules = LogitRules(prompts, end, generation, rules)
    tokens = new = logit_rules.prompt
    total = torch.zeros(len(tokens), device=tokens.device)
    finished = torch.zeros_like(tokens[:, 0], dtype=torch.bool)
    rows = torch.arange(len(tokens), device=tokens.device)  # that the decoding goes on with
    while tokens.shape[1] < generation.max_length and not finished.all():
        logits = decoding.step(new).float()
        likely = logits.log_softmax(-1)
        logit_rules.apply(logits, tokens[rows])
        drawn = draw(logits, generation, opened, rows).masked_fill(finished[rows], end)
        total[rows] += likely.gather(1, drawn[:, None])[:, 0].masked_fill(finished[rows], 0)
        finished[rows] |= logit_rules.ended(drawn)
        following = torch.full_like(tokens[:, :1], end)
        following[rows, 0] = drawn.masked_fill(finished[rows], end)
        tokens = torch.cat([tokens, following], 1)
        rows = _without_finished(decoding, rows, finished)
        new = tokens[rows, -1:]
    return ranked(tokens[:, logit_rules.prompt_length :], total, end, generation)


def _without_finished(
    decoding: Decoding, rows: torch.Tensor, finished: torch.Tensor
) -> torch.Tensor:
    """The rows to go on with, once enough captions have ended to be worth the copying."""
    left = (~finished[rows]).nonzero()[:, 0]
    if not 0 < len(left) <= _FEW * len(rows) or not isinstance(decoding, LeavableDecoding):
        return rows
    decoding.keep(left)
    return rows[left]


def draw(
    likely: torch.Tensor,
    generation: Generation,
    opened: Sequence[torch.Generator],
    rows: torch.Tensor,
) -> torch.Tensor:
    """One token for each row of ``(R, V)`` logits; ``rows`` are their numbers in the batch.

    Streams are taken in turn where the batch has more rows.
    """
    warm = within_top(likely / generation.temperature, generation.top_p)
    numbers, places = (rows % len(opened)).unique(return_inverse=True)
    drawn = [
        torch.empty(warm.shape[1]).exponential_(generator=opened[number])
        for number in numbers.tolist()
    ]
    noise = torch.stack(drawn).to(warm.device).log()
    return (warm - noise[places]).argmax(-1)


def within_top(likely: torch.Tensor, share: float) -> torch.Tensor:
    """Only the likeliest words that together hold ``share`` of the probability."""
    if share == 1:
        return likely
    falling = likely.softmax(-1).sort(dim=-1, descending=True).values
    before = falling.cumsum(-1) - falling
    least = falling.masked_fill(before >= share, torch.inf).amin(-1, keepdim=True)
    return likely.masked_fill(likely.softmax(-1) < least, -torch.inf)


def ranked(
    tokens: torch.Tensor, total: torch.Tensor, end: int, generation: Generation
) -> list[list[Hypothesis]]:
    """Captions by image, cut at their end, best first; scored per token with its end."""
    captions = []
    for row, likelihood in zip(tokens.tolist(), total.tolist(), strict=True):
        length = row.index(end) if end in row else len(row)
        score = likelihood / max(1, length + (end in row)) ** generation.length_penalty
        captions.append(Hypothesis(row[:length], score))
    several = generation.num_return_sequences
    images = [captions[start : start + several] for start in range(0, len(captions), several)]
    return [sorted(image, key=lambda caption: -caption.score) for image in images]

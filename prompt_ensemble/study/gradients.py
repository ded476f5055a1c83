"""Where the pixels lie on which a word hangs: the gradient of its log-likelihood.

The words are those of the true prompt, read up to the word as in training, so that all captioners
are asked for the same word after the same words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import adaptive_avg_pool2d

from prompt_ensemble.images.survey import SurveyedImage
from prompt_ensemble.members.captioners.tunable_captioner import Published, TunableCaptioner

_CELLS = 16
"""Squares a side of a map; single pixels are noise."""


@dataclass(frozen=True, eq=False)
class WordMap:
    """One word of one image's prompt."""

    image_id: str
    word: str
    log_likelihood: float
    picture: np.ndarray
    """``(H, W, 3)`` uint8, what the captioner sees."""
    pull: np.ndarray
    """``(16, 16)`` mean size of the gradient in each square."""


@dataclass(frozen=True)
class Question:
    """An image, its prompt, and a word of that."""

    image: SurveyedImage
    prompt: str
    word: str


def word_maps(
    predictor: TunableCaptioner, questions: Sequence[Question], device: torch.device
) -> Iterator[WordMap]:
    """The map of each question; a word that tokens do not keep apart has none."""
    from prompt_ensemble.models.device import choose_placement

    published = predictor.read(choose_placement("cpu"))
    published.model.to(device).requires_grad_(False)
    for question in questions:
        found = _tokens(predictor, published, question)
        if found is not None:
            yield _word_map(predictor, published, question, *found, device)


def _tokens(
    predictor: TunableCaptioner, published: Published, question: Question
) -> tuple[list[int], int] | None:
    """Tokens up to the word's end, and how many of them are the word's own."""
    text = " ".join(question.prompt.split())
    place = re.search(rf"\b{re.escape(question.word)}\b", text, re.IGNORECASE)
    if place is None:
        return None
    searching = predictor.searching(published)
    opening = searching.rules.opening(len(searching.prompt))
    before = predictor.pieces(published, text[: place.start()].rstrip())
    through = predictor.pieces(published, text[: place.end()])
    tokens = [*searching.prompt, *opening, *through]
    own = len(through) - len(before)
    if through[: len(before)] != before or own < 1 or len(tokens) > searching.longest:
        return None
    return tokens, own


def _word_map(
    predictor: TunableCaptioner,
    published: Published,
    question: Question,
    tokens: list[int],
    own: int,
    device: torch.device,
) -> WordMap:
    """Forward over all tokens at once, and back from the word's own to the pixels."""
    seen = published.preprocessing.prepare(question.image.load())
    pixels = published.preprocessing.normalise(seen[None].to(device)).requires_grad_()
    batch = torch.tensor([tokens], device=device)
    chances = predictor.logits(published, pixels, batch).float().log_softmax(dim=-1)
    following = chances[0, -own - 1 : -1].gather(1, batch[0, -own:, None])
    likelihood = following.sum()
    (gradient,) = torch.autograd.grad(likelihood, pixels)
    size = gradient.abs().sum(dim=1, keepdim=True).float()
    pull = adaptive_avg_pool2d(size, min(_CELLS, *size.shape[2:]))[0, 0]
    picture = seen.permute(1, 2, 0).cpu().numpy()
    return WordMap(
        question.image.image_id, question.word, likelihood.item(), picture, pull.cpu().numpy()
    )

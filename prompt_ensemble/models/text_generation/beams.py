"""The moving parts of a beam search: live beams, their continuations, and the finished captions.

Shapes: B images, K beams each, V words, T tokens so far. All of it stays on the device.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import pad

from prompt_ensemble.models.text_generation.decoding import Decoding, Hypothesis
from prompt_ensemble.models.text_generation.token_bans import NEVER


@dataclass(frozen=True)
class Candidates:
    """The N best continuations of each image's beams, best first, ``(B, N)`` each.

    N is (1 + ends)·K: though every beam may end in each of its ends, K live on.
    """

    totals: torch.Tensor
    """Log-likelihood of the whole caption so far."""
    beams: torch.Tensor
    words: torch.Tensor


def best_candidates(
    logits: torch.Tensor, normalisers: torch.Tensor, totals: torch.Tensor, ends: int = 1
) -> Candidates:
    """From ``(B·K, V)`` logits, their log-sums before bans ``(B·K,)`` and totals ``(B, K)``.

    Each beam's best are candidates first: what is among the best of all is among those.
    """
    images, beams = totals.shape
    wanted = (1 + ends) * beams
    likeliest = logits.topk(min(wanted, logits.shape[1]))
    steps = (likeliest.values - normalisers[:, None]).nan_to_num(NEVER, neginf=NEVER)
    sums = (totals.unsqueeze(-1) + steps.view(images, beams, -1)).flatten(1)
    best = sums.topk(wanted)
    words = likeliest.indices.view(images, -1).gather(1, best.indices)
    return Candidates(best.values, best.indices // steps.shape[1], words)


class Beams:
    """The captions that are still being written."""

    def __init__(
        self, decoding: Decoding, prompt: torch.Tensor, count: int, copies_total: float
    ) -> None:
        self.decoding = decoding
        self.tokens = prompt.unsqueeze(1).expand(-1, count, -1)
        """``(B, K, T)``"""
        self.totals = torch.full((len(prompt), count), copies_total, device=prompt.device)
        self.totals[:, 0] = 0
        self.origins: torch.Tensor | None = None

    @property
    def length(self) -> int:
        """Tokens of each beam so far, the prompt included."""
        return self.tokens.shape[2]

    def logits(self) -> torch.Tensor:
        """What may follow each beam, ``(B·K, V)`` float32, to be overwritten at will."""
        images, count, _ = self.tokens.shape
        if self.origins is None:  # all beams are one yet, so each image is asked about once
            logits = self.decoding.step(self.tokens[:, 0]).float()
            rows = torch.arange(images, device=logits.device).repeat_interleave(count)
            self.decoding.reorder(rows)
            return logits[rows]
        self.decoding.reorder(self.origins)
        return self.decoding.step(self.tokens[:, :, -1].reshape(-1, 1)).float()

    def prefixes(self, candidates: Candidates) -> torch.Tensor:
        """The captions that the first K candidates would continue, ``(B, K, T)``."""
        return take(self.tokens, candidates.beams[:, : self.tokens.shape[1]])

    def advance(self, candidates: Candidates, ended: torch.Tensor) -> None:
        """Live on in the K best candidates that are not marked ``(B, N)`` as ended.

        Candidates are ranked, so adding N to the rank of those that ended and sorting puts the K
        best of the others first. ``origins`` then says which row of the decoder's cache each new
        beam continues: beam numbers count within an image, rows of the cache over the whole batch.
        """
        images, count, _ = self.tokens.shape
        several = ended.shape[1]
        order = torch.arange(several, device=ended.device) + several * ended
        chosen = order.argsort(-1)[:, :count]
        beams = candidates.beams.gather(1, chosen)
        words = candidates.words.gather(1, chosen)
        self.tokens = torch.cat([take(self.tokens, beams), words.unsqueeze(-1)], -1)
        self.totals = candidates.totals.gather(1, chosen)
        first = torch.arange(images, device=beams.device).unsqueeze(1) * count
        self.origins = (beams + first).flatten()


class Finished:
    """For each image the K captions that rank highest among all that ended."""

    def __init__(self, like: torch.Tensor, length: int, end: int) -> None:
        self.end = end
        self.scores = torch.full_like(like, NEVER)
        self.ranks = self.scores
        self.tokens = torch.full((*like.shape, length), end, device=like.device)
        self.lengths = torch.zeros_like(like, dtype=torch.long)

    def offer(self, scores: torch.Tensor, ranks: torch.Tensor, tokens: torch.Tensor) -> None:
        """Consider K captions per image: scores and ranks ``(B, K)`` or more, tokens ``(B, K, T)``.

        A rank of minus infinity means none. Among equals those that came first stay.
        """
        count, length = self.scores.shape[1], tokens.shape[2]
        scores, ranks = scores[:, :count], ranks[:, :count]
        all_ranks = torch.cat([self.ranks, ranks], 1)
        kept = all_ranks.sort(dim=-1, descending=True, stable=True).indices[:, :count]
        padded = pad(tokens, (0, self.tokens.shape[2] - length), value=self.end)
        lengths = torch.full_like(self.lengths, length)
        self.ranks = all_ranks.gather(1, kept)
        self.scores = torch.cat([self.scores, scores], 1).gather(1, kept)
        self.tokens = take(torch.cat([self.tokens, padded], 1), kept)
        self.lengths = torch.cat([self.lengths, lengths], 1).gather(1, kept)

    @property
    def worst(self) -> torch.Tensor:
        """The lowest rank that an image keeps, ``(B,)``."""
        return self.ranks[:, -1]

    @property
    def full(self) -> torch.Tensor:
        """Whether an image has as many captions as it keeps, ``(B,)``."""
        return self.worst > NEVER

    def best(self, prompt_length: int, count: int) -> list[list[Hypothesis]]:
        """The best ``count`` captions of each image, without prompt and end."""
        scores, order = self.scores.sort(dim=-1, descending=True, stable=True)
        tokens, lengths = take(self.tokens, order), self.lengths.gather(1, order)
        images = zip(tokens.tolist(), lengths.tolist(), scores.tolist(), strict=True)
        return [
            [
                Hypothesis(row[prompt_length:length], score)
                for row, length, score in list(zip(*image, strict=True))[:count]
                if score > NEVER
            ]
            for image in images
        ]


def take(tokens: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Captions ``(B, N, T)`` at ``(B, M)`` places, as ``(B, M, T)``."""
    return tokens.gather(1, places.unsqueeze(-1).expand(-1, -1, tokens.shape[2]))

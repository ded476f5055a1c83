"""Words that may or should not come next: repeats, an end too early, anything else too late."""

from __future__ import annotations

import torch

NEVER = float("-inf")


def ban_repeats(logits: torch.Tensor, tokens: torch.Tensor, size: int) -> None:
    """Forbid, in place, every word that would complete an n-gram its prefix already holds.

    ``logits`` is ``(R, V)``, ``tokens`` are the prefixes ``(R, T)``; a size of 0 forbids nothing.
    """
    if not 0 < size <= tokens.shape[1]:
        return
    ngrams = tokens.unfold(1, size, 1)  # (R, T - size + 1, size)
    tail = tokens[:, tokens.shape[1] - size + 1 :]
    repeated = (ngrams[..., :-1] == tail.unsqueeze(1)).all(-1)
    penalty = torch.zeros_like(repeated, dtype=logits.dtype).masked_fill_(repeated, NEVER)
    logits.scatter_add_(1, ngrams[..., -1], penalty)


def discourage_repeats(scores: torch.Tensor, tokens: torch.Tensor, penalty: float) -> None:
    """Make, in place, every word that its prefix holds less likely; a penalty of 1 changes none.

    Scores above zero are divided by the penalty and those below multiplied with it.
    """
    if penalty != 1:
        repeated = scores.gather(1, tokens)
        weaker = torch.where(repeated < 0, repeated * penalty, repeated / penalty)
        scores.scatter_(1, tokens, weaker)


def ban_word(logits: torch.Tensor, word: int) -> None:
    """Forbid one word everywhere, in place."""
    logits[:, word] = NEVER


def ban_words(logits: torch.Tensor, words: torch.Tensor) -> None:
    """Forbid these words everywhere, in place; none is no ban."""
    if len(words):
        logits.index_fill_(1, words, NEVER)


def ban_all_but(logits: torch.Tensor, word: int) -> None:
    """Leave nothing but one word, with the logit it has, in place."""
    kept = logits[:, word].clone()
    logits.fill_(NEVER)
    logits[:, word] = kept

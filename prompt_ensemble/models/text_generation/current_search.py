"""Beam search as the ``generate`` of transformers 5 scores and stops it, a batch at a time.

A caption's score is ``log p(words) / n ** length_penalty``, where n counts the words after the
prompt, the end included. Log-likelihoods are negative, so a penalty above zero favours long
captions and one below zero short ones.

An image is done when none of its live beams can still beat the worst caption that it keeps. The
best live beam's log-likelihood can only fall, so it is divided by its present length, a good guess
of what it may still reach, or, with ``early_stopping`` "never" and a penalty above zero, by the
longest possible one, an upper bound. What other images of the batch need changes nothing for it.
"""

from __future__ import annotations

import torch

from prompt_ensemble.models.text_generation.beams import (
    Beams,
    Candidates,
    Finished,
    best_candidates,
)
from prompt_ensemble.models.text_generation.decoding import Decoding, Hypothesis
from prompt_ensemble.models.text_generation.generation import Generation
from prompt_ensemble.models.text_generation.logit_rules import LogitRules
from prompt_ensemble.models.text_generation.token_bans import NEVER

UNLIKELY = -1e9
"""Total of the beams that begin as copies of the first: they may only fill up a lack."""


def current_search(
    decoding: Decoding,
    logit_rules: LogitRules,
    generation: Generation,
    *,
    end_is_free: bool = False,
) -> list[list[Hypothesis]]:
    """The best finished captions of each image, best first.

    With ``end_is_free`` a caption of full length ends there without cost.
    """
    prompt, prompt_length = logit_rules.prompt, logit_rules.prompt_length
    beams = Beams(decoding, prompt, generation.num_beams, UNLIKELY)
    finished = Finished(beams.totals, generation.max_length, logit_rules.end)
    done = torch.zeros(len(prompt), dtype=torch.bool, device=prompt.device)
    last = generation.max_length - 1
    for length in range(prompt.shape[1], last):
        candidates = allowed_candidates(beams, logit_rules)
        words = length + 1 - prompt_length
        ended = logit_rules.ended(candidates.words)
        scores = _scores(candidates, words, generation).masked_fill(done[:, None], NEVER)
        offers = scores.masked_fill(~ended, NEVER)
        finished.offer(offers, offers, beams.prefixes(candidates))
        beams.advance(candidates, ended)
        done = done | (finished.full & ~_hopeful(beams, finished, generation, words, prompt_length))
        if bool(done.all()):
            return finished.best(prompt_length, generation.num_return_sequences)
    full_length = generation.max_length - prompt_length
    if end_is_free:
        left = beams.totals / full_length**generation.length_penalty
        left = left.masked_fill(done[:, None], NEVER)
        finished.offer(left, left, beams.tokens)
    else:
        candidates = allowed_candidates(beams, logit_rules)
        scores = _scores(candidates, full_length, generation).masked_fill(done[:, None], NEVER)
        _offer_last(finished, beams, candidates, scores, logit_rules.ended(candidates.words))
    return finished.best(prompt_length, generation.num_return_sequences)


def allowed_candidates(beams: Beams, logit_rules: LogitRules) -> Candidates:
    """What may come next: beams are compared by log-likelihoods that bans change afterwards."""
    logits = beams.logits()
    chances = logits.sub_(logits.logsumexp(-1, keepdim=True))
    logit_rules.apply(chances, beams.tokens.flatten(0, 1))
    nothing = torch.zeros_like(chances[:, 0])
    return best_candidates(chances, nothing, beams.totals, len(logit_rules.ends))


def _scores(candidates: Candidates, words: int, generation: Generation) -> torch.Tensor:
    """Scores of the first K candidates; the others only wait to replace those that end."""
    scores: torch.Tensor = candidates.totals / words**generation.length_penalty
    scores[:, generation.num_beams :] = NEVER
    return scores


def _hopeful(
    beams: Beams, finished: Finished, generation: Generation, words: int, prompt_length: int
) -> torch.Tensor:
    """Whether an image's best live beam may still beat a caption that is kept, ``(B,)``."""
    if generation.early_stopping is True:
        return torch.zeros_like(finished.full)
    patient = generation.early_stopping == "never" and generation.length_penalty > 0
    length = generation.max_length - prompt_length if patient else words
    best: torch.Tensor = beams.totals[:, 0] / length**generation.length_penalty
    return best > finished.worst


def _offer_last(
    finished: Finished,
    beams: Beams,
    candidates: Candidates,
    scores: torch.Tensor,
    ended: torch.Tensor,
) -> None:
    """Captions of full length: those that end there, and those that are cut off."""
    at_end, cut = scores.masked_fill(~ended, NEVER), scores.masked_fill(ended, NEVER)
    prefixes = beams.prefixes(candidates)
    words = candidates.words[:, : prefixes.shape[1], None]
    finished.offer(at_end, at_end, prefixes)
    finished.offer(cut, cut, torch.cat([prefixes, words], dim=-1))

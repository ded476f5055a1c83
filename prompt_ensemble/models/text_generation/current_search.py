"""Beam search as the ``generate`` of transformers 5 scores and stops it, a batch at a time.

A caption's score is its log-likelihood over ``n ** length_penalty``, where n counts the words after
the prompt, the end included. An image is done when none of its live beams can still beat the worst
caption that it keeps: by their present length, or by the greatest possible one with
``early_stopping`` "never" and a penalty above zero. What other images need changes nothing for it.
"""

from __future__ import annotations

import torch

from prompt_ensemble.models.text_generation.beams import (
    Beams,
    Candidates,
    Finished,
    best_candidates,
)
from prompt_ensemble.models.text_generation.decoding import Decoding, Said
from prompt_ensemble.models.text_generation.generation import Generation
from prompt_ensemble.models.text_generation.token_bans import NEVER
from prompt_ensemble.models.text_generation.token_scores import Weighing

UNLIKELY = -1e9
"""Total of the beams that begin as copies of the first: they may only fill up a lack."""


def current_search(
    decoding: Decoding, weighing: Weighing, generation: Generation, *, end_is_free: bool = False
) -> list[list[Said]]:
    """The best finished captions of each image, best first.

    With ``end_is_free`` a caption of full length ends there without cost.
    """
    prompt, given = weighing.prompt, weighing.given
    beams = Beams(decoding, prompt, generation.num_beams, UNLIKELY)
    finished = Finished(beams.totals, generation.max_length, weighing.end)
    done = torch.zeros(len(prompt), dtype=torch.bool, device=prompt.device)
    last = generation.max_length - 1
    for length in range(prompt.shape[1], last):
        found = weighed_candidates(beams, weighing)
        said = length + 1 - given
        ended = weighing.ended(found.words)
        scores = _scores(found, said, generation).masked_fill(done[:, None], NEVER)
        offers = scores.masked_fill(~ended, NEVER)
        finished.offer(offers, offers, beams.prefixes(found))
        beams.advance(found, ended)
        done = done | (finished.full & ~_hopeful(beams, finished, generation, said, given))
        if bool(done.all()):
            return finished.said(given, generation.num_return_sequences)
    full_length = generation.max_length - given
    if end_is_free:
        left = beams.totals / full_length**generation.length_penalty
        left = left.masked_fill(done[:, None], NEVER)
        finished.offer(left, left, beams.tokens)
    else:
        found = weighed_candidates(beams, weighing)
        scores = _scores(found, full_length, generation).masked_fill(done[:, None], NEVER)
        _offer_last(finished, beams, found, scores, weighing.ended(found.words))
    return finished.said(given, generation.num_return_sequences)


def weighed_candidates(beams: Beams, weighing: Weighing) -> Candidates:
    """What may come next: beams are compared by log-likelihoods that bans change afterwards."""
    logits = beams.logits()
    chances = logits.sub_(logits.logsumexp(-1, keepdim=True))
    weighing.weigh(chances, beams.tokens.flatten(0, 1))
    nothing = torch.zeros_like(chances[:, 0])
    return best_candidates(chances, nothing, beams.totals, len(weighing.ends))


def _scores(found: Candidates, said: int, generation: Generation) -> torch.Tensor:
    """Scores of the first K candidates; the others only wait to replace those that end."""
    scores: torch.Tensor = found.totals / said**generation.length_penalty
    scores[:, generation.num_beams :] = NEVER
    return scores


def _hopeful(
    beams: Beams, finished: Finished, generation: Generation, said: int, given: int
) -> torch.Tensor:
    """Whether an image's best live beam may still beat a caption that is kept, ``(B,)``."""
    if generation.early_stopping is True:
        return torch.zeros_like(finished.full)
    patient = generation.early_stopping == "never" and generation.length_penalty > 0
    length = generation.max_length - given if patient else said
    best: torch.Tensor = beams.totals[:, 0] / length**generation.length_penalty
    return best > finished.worst


def _offer_last(
    finished: Finished,
    beams: Beams,
    found: Candidates,
    scores: torch.Tensor,
    ended: torch.Tensor,
) -> None:
    """Captions of full length: those that end there, and those that are cut off."""
    at_end, cut = scores.masked_fill(~ended, NEVER), scores.masked_fill(ended, NEVER)
    prefixes = beams.prefixes(found)
    words = found.words[:, : prefixes.shape[1], None]
    finished.offer(at_end, at_end, prefixes)
    finished.offer(cut, cut, torch.cat([prefixes, words], dim=-1))

"""Beam search as the ``generate`` of transformers 5 scores and stops it, a batch at a time.

A caption's score is its log-likelihood over ``n ** length_penalty``, where n counts the words after
the prompt, the end included. An image is done when none of its live beams can still beat the worst
caption that it keeps: by their present length, or by the greatest possible one with
``early_stopping`` "never" and a penalty above zero. What other images need changes nothing for it.
"""

from __future__ import annotations

import torch

from prompt_ensemble.captioners.beams import Beams, Candidates, Finished, best_candidates
from prompt_ensemble.captioners.decoding import Decoding, Said
from prompt_ensemble.captioners.generation import Generation
from prompt_ensemble.captioners.token_bans import NEVER, ban_repeats, ban_word, discourage_repeats

UNLIKELY = -1e9
"""Total of the beams that begin as copies of the first: they may only fill up a lack."""


def current_search(
    decoding: Decoding,
    prompt: torch.Tensor,
    end: int,
    generation: Generation,
    *,
    end_is_free: bool = False,
    forced: int = 0,
) -> list[list[Said]]:
    """The best finished captions of each image, best first.

    ``prompt`` holds the first tokens of each caption, ``(images, t)``; the last ``forced`` of them
    count as said, since ``generate`` would have been made to say them. With ``end_is_free`` a
    caption of full length ends there without cost.
    """
    before = prompt.shape[1] - forced
    beams = Beams(decoding, prompt, generation.num_beams, UNLIKELY)
    finished = Finished(beams.totals, generation.max_length, end)
    done = torch.zeros(len(prompt), dtype=torch.bool, device=prompt.device)
    last = generation.max_length - 1
    for length in range(prompt.shape[1], last):
        found = _candidates(beams, end, generation, length - before)
        said = length + 1 - before
        ended = found.words == end
        scores = _scores(found, said, generation).masked_fill(done[:, None], NEVER)
        offers = scores.masked_fill(~ended, NEVER)
        finished.offer(offers, offers, beams.prefixes(found))
        beams.advance(found, ended)
        done = done | (finished.full & ~_hopeful(beams, finished, generation, said, before))
        if bool(done.all()):
            return finished.said(prompt.shape[1], generation.num_return_sequences)
    full_length = generation.max_length - before
    if end_is_free:
        left = beams.totals / full_length**generation.length_penalty
        left = left.masked_fill(done[:, None], NEVER)
        finished.offer(left, left, beams.tokens)
    else:
        found = _candidates(beams, end, generation, last - before)
        scores = _scores(found, full_length, generation).masked_fill(done[:, None], NEVER)
        _offer_last(finished, beams, found, scores, end)
    return finished.said(prompt.shape[1], generation.num_return_sequences)


def _candidates(beams: Beams, end: int, generation: Generation, said: int) -> Candidates:
    """What may come next after ``said`` words, as ``generate`` weighs it."""
    logits = beams.logits()
    chances = logits.sub_(logits.logsumexp(-1, keepdim=True))
    tokens = beams.tokens.flatten(0, 1)
    discourage_repeats(chances, tokens, generation.repetition_penalty)
    ban_repeats(chances, tokens, generation.no_repeat_ngram_size)
    if beams.length < generation.min_length or said < generation.min_new_tokens:
        ban_word(chances, end)
    return best_candidates(chances, torch.zeros_like(chances[:, 0]), beams.totals)


def _scores(found: Candidates, said: int, generation: Generation) -> torch.Tensor:
    """Scores of the first K candidates; the others only wait to replace those that end."""
    scores: torch.Tensor = found.totals / said**generation.length_penalty
    scores[:, generation.num_beams :] = NEVER
    return scores


def _hopeful(
    beams: Beams, finished: Finished, generation: Generation, said: int, before: int
) -> torch.Tensor:
    """Whether an image's best live beam may still beat a caption that is kept, ``(B,)``."""
    if generation.early_stopping is True:
        return torch.zeros_like(finished.full)
    patient = generation.early_stopping == "never" and generation.length_penalty > 0
    length = generation.max_length - before if patient else said
    best: torch.Tensor = beams.totals[:, 0] / length**generation.length_penalty
    return best > finished.worst


def _offer_last(
    finished: Finished, beams: Beams, found: Candidates, scores: torch.Tensor, end: int
) -> None:
    """Captions of full length: those that end there, and those that are cut off."""
    ended = found.words == end
    at_end, cut = scores.masked_fill(~ended, NEVER), scores.masked_fill(ended, NEVER)
    prefixes = beams.prefixes(found)
    words = found.words[:, : prefixes.shape[1], None]
    finished.offer(at_end, at_end, prefixes)
    finished.offer(cut, cut, torch.cat([prefixes, words], dim=-1))

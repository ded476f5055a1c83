"""Searches for likely captions, all images and beams of a batch at once on the device.

``beam_search`` scores and stops as the ``generate`` of the OFA authors' model cards does, which was
transformers' own until 2023; today's is ``current_search``. The OFA authors' own evaluation
searched differently: ``fairseq_search``. Each reads the device once per step, to know whether to
go on, and otherwise runs ahead of it.
"""

from __future__ import annotations

import torch

from prompt_ensemble.captioners.beams import Beams, Candidates, Finished, best_candidates
from prompt_ensemble.captioners.current_search import UNLIKELY, current_search
from prompt_ensemble.captioners.decoding import Decoding, Said
from prompt_ensemble.captioners.generation import Generation
from prompt_ensemble.captioners.token_bans import (
    NEVER,
    ban_all_but,
    ban_repeats,
    ban_word,
    discourage_repeats,
)


def search_captions(
    decoding: Decoding,
    prompt: torch.Tensor,
    end: int,
    generation: Generation,
    *,
    end_is_free: bool = False,
    forced: int = 0,
) -> list[list[Said]]:
    """Greedy search for one beam, beam search for more; captions by image, best first."""
    if generation.num_beams == 1:
        return greedy_search(
            decoding, prompt, end, generation, end_is_free=end_is_free, forced=forced
        )
    if generation.scoring == "2023":
        return beam_search(decoding, prompt, end, generation, end_is_free=end_is_free)
    return current_search(decoding, prompt, end, generation, end_is_free=end_is_free, forced=forced)


def beam_search(
    decoding: Decoding,
    prompt: torch.Tensor,
    end: int,
    generation: Generation,
    *,
    end_is_free: bool = False,
) -> list[list[Said]]:
    """The best finished captions, looked for until no live beam can beat the worst of them.

    ``prompt`` holds the first tokens of each image's caption, ``(images, t)``. With
    ``end_is_free`` a caption of full length ends there, without cost to its score (the "forced
    end" of a model's configuration). ``early_stopping`` True is content with the first captions.
    """
    beams = Beams(decoding, prompt, generation.num_beams, UNLIKELY)
    finished = Finished(beams.totals, generation.max_length, end)
    done = torch.zeros(len(prompt), dtype=torch.bool, device=prompt.device)
    # A free end needs no opinion of the network.
    last = generation.max_length - 1 if end_is_free else generation.max_length
    for length in range(prompt.shape[1], last):
        found = beam_candidates(beams, end, generation)
        scores = found.totals / length**generation.length_penalty
        ended = found.words == end
        offers = scores.masked_fill(~ended | done[:, None], NEVER)
        finished.offer(offers, offers, beams.prefixes(found))
        enough = (generation.early_stopping is True) | (finished.worst >= scores[:, 0])
        done = done | (finished.full & enough)
        beams.advance(found, ended)
        if bool(done.all()):
            break
    left = beams.totals / beams.length**generation.length_penalty
    left = left.masked_fill(done[:, None], NEVER)
    finished.offer(left, left, beams.tokens)
    return finished.said(prompt.shape[1], generation.num_return_sequences)


def beam_candidates(beams: Beams, end: int, generation: Generation) -> Candidates:
    """What may come next, as ``generate`` weighs it."""
    logits = beams.logits()
    normalisers = logits.logsumexp(-1)
    ban_repeats(logits, beams.tokens.flatten(0, 1), generation.no_repeat_ngram_size)
    if beams.length < max(generation.min_length, generation.min_new_tokens + 1):
        ban_word(logits, end)
    return best_candidates(logits, normalisers, beams.totals)


def fairseq_search(
    decoding: Decoding, prompt: torch.Tensor, end: int, pad: int, generation: Generation
) -> list[list[Said]]:
    """The first captions that finish, best first, every end at its cost.

    As many as there are beams, unless ``max_length`` comes sooner. In fairseq's own words
    ``max_length`` is ``max_len_b + 2`` and ``min_length`` is ``min_len + 1``.
    """
    beams = Beams(decoding, prompt, generation.num_beams, NEVER)
    finished = Finished(beams.totals, generation.max_length, end)
    for length in range(prompt.shape[1], generation.max_length):
        found = fairseq_candidates(beams, end, pad, generation)
        scores = found.totals / length**generation.length_penalty
        ended = (found.words == end) & (found.totals > NEVER)
        arrivals = -(length + torch.arange(scores.shape[1], device=scores.device) / scores.shape[1])
        finished.offer(scores, arrivals.where(ended, NEVER), beams.prefixes(found))
        beams.advance(found, ended)
        if bool(finished.full.all()):
            break
    return finished.said(prompt.shape[1], generation.num_return_sequences)


def fairseq_candidates(beams: Beams, end: int, pad: int, generation: Generation) -> Candidates:
    """What may come next, as the authors' generator weighs it."""
    logits = beams.logits().div_(generation.temperature)
    normalisers = logits.logsumexp(-1)
    ban_word(logits, pad)
    if beams.length < generation.min_length:
        ban_word(logits, end)
    if beams.length == generation.max_length - 1:
        ban_all_but(logits, end)
    ban_repeats(logits, beams.tokens.flatten(0, 1), generation.no_repeat_ngram_size)
    return best_candidates(logits, normalisers, beams.totals)


def greedy_search(
    decoding: Decoding,
    prompt: torch.Tensor,
    end: int,
    generation: Generation,
    *,
    end_is_free: bool = False,
    forced: int = 0,
) -> list[list[Said]]:
    """The likeliest word at every step; the last ``forced`` words of the prompt count as said."""
    before = prompt.shape[1] - forced
    tokens, new = prompt, prompt
    totals = torch.zeros(len(prompt), device=prompt.device)
    lengths = torch.full_like(prompt[:, 0], generation.max_length)
    last = generation.max_length - 1 if end_is_free else generation.max_length
    for length in range(prompt.shape[1], last):
        logits = decoding.step(new).float()
        normalisers = logits.logsumexp(-1)
        discourage_repeats(logits, tokens, generation.repetition_penalty)
        ban_repeats(logits, tokens, generation.no_repeat_ngram_size)
        if length < generation.min_length or length - before < generation.min_new_tokens:
            ban_word(logits, end)
        likeliest = logits.max(-1)
        done = lengths < length
        totals += (likeliest.values - normalisers).masked_fill(done, 0)
        new = likeliest.indices.masked_fill(done, end)[:, None]
        lengths = lengths.where(done | (new[:, 0] != end), length)
        tokens = torch.cat([tokens, new], 1)
        if bool((lengths <= length).all()):
            break
    lengths = lengths.clamp(max=last)
    scores = totals / lengths**generation.length_penalty
    ends = zip(tokens.tolist(), lengths.tolist(), scores.tolist(), strict=True)
    return [[Said(row[prompt.shape[1] : stop], score)] for row, stop, score in ends]

"""Searches for likely captions, all images and beams of a batch at once on the device.

``beam_search`` scores and stops as the ``generate`` of the OFA authors' model cards does, which was
transformers' own until 2023; today's is ``current_search``. The OFA authors' own evaluation
searched differently: ``fairseq_search``. Each reads the device once per step, to know whether to
go on, and otherwise runs ahead of it.
"""

from __future__ import annotations

import torch

from prompt_ensemble.models.text_generation.beams import (
    Beams,
    Candidates,
    Finished,
    best_candidates,
)
from prompt_ensemble.models.text_generation.current_search import (
    UNLIKELY,
    allowed_candidates,
    current_search,
)
from prompt_ensemble.models.text_generation.decoding import Decoding, Hypothesis
from prompt_ensemble.models.text_generation.generation import Generation
from prompt_ensemble.models.text_generation.logit_rules import LogitRules
from prompt_ensemble.models.text_generation.token_bans import (
    NEVER,
    ban_all_but,
    ban_repeats,
    ban_word,
)
from prompt_ensemble.models.text_generation.token_rules import NO_RULES, TokenRules


def search_captions(
    decoding: Decoding,
    prompt: torch.Tensor,
    end: int,
    generation: Generation,
    *,
    end_is_free: bool = False,
    rules: TokenRules = NO_RULES,
) -> list[list[Hypothesis]]:
    """Greedy search for one beam, beam search for more; captions by image, best first.

    ``prompt`` holds the first tokens of each image's caption, ``(images, t)``. With
    ``end_is_free`` a caption of full length ends there, without cost to its score (the "forced
    end" of a model's configuration).
    """
    generation = generation.settled(prompt.shape[1])
    logit_rules = LogitRules(prompt, end, generation, rules)
    if generation.num_beams == 1:
        search = _greedy_search
    else:
        search = beam_search if generation.scoring == "2023" else current_search
    return search(decoding, logit_rules, generation, end_is_free=end_is_free)


def beam_search(
    decoding: Decoding,
    logit_rules: LogitRules,
    generation: Generation,
    *,
    end_is_free: bool = False,
) -> list[list[Hypothesis]]:
    """The best finished captions, looked for until no live beam can beat the worst of them.

    ``early_stopping`` True is content with the first captions.
    """
    prompt = logit_rules.prompt
    beams = Beams(decoding, prompt, generation.num_beams, UNLIKELY)
    finished = Finished(beams.totals, generation.max_length, logit_rules.end)
    done = torch.zeros(len(prompt), dtype=torch.bool, device=prompt.device)
    # A free end needs no opinion of the network.
    last = generation.max_length - 1 if end_is_free else generation.max_length
    for length in range(prompt.shape[1], last):
        candidates = allowed_candidates(beams, logit_rules)
        scores = candidates.totals / length**generation.length_penalty
        ended = logit_rules.ended(candidates.words)
        offers = scores.masked_fill(~ended | done[:, None], NEVER)
        finished.offer(offers, offers, beams.prefixes(candidates))
        enough = (generation.early_stopping is True) | (finished.worst >= scores[:, 0])
        done = done | (finished.full & enough)
        beams.advance(candidates, ended)
        if bool(done.all()):
            break
    left = beams.totals / beams.length**generation.length_penalty
    left = left.masked_fill(done[:, None], NEVER)
    finished.offer(left, left, beams.tokens)
    return finished.best(logit_rules.prompt_length, generation.num_return_sequences)


def fairseq_search(
    decoding: Decoding, prompt: torch.Tensor, end: int, pad: int, generation: Generation
) -> list[list[Hypothesis]]:
    """The first captions that finish, best first, every end at its cost.

    As many as there are beams, unless ``max_length`` comes sooner. In fairseq's own words
    ``max_length`` is ``max_len_b + 2`` and ``min_length`` is ``min_len + 1``.
    """
    beams = Beams(decoding, prompt, generation.num_beams, NEVER)
    finished = Finished(beams.totals, generation.max_length, end)
    for length in range(prompt.shape[1], generation.max_length):
        candidates = _fairseq_candidates(beams, end, pad, generation)
        scores = candidates.totals / length**generation.length_penalty
        ended = (candidates.words == end) & (candidates.totals > NEVER)
        arrivals = -(length + torch.arange(scores.shape[1], device=scores.device) / scores.shape[1])
        finished.offer(scores, arrivals.where(ended, NEVER), beams.prefixes(candidates))
        beams.advance(candidates, ended)
        if bool(finished.full.all()):
            break
    return finished.best(prompt.shape[1], generation.num_return_sequences)


def _fairseq_candidates(beams: Beams, end: int, pad: int, generation: Generation) -> Candidates:
    """What may come next, as the authors' generator ranks it."""
    logits = beams.logits().div_(generation.temperature)
    normalisers = logits.logsumexp(-1)
    ban_word(logits, pad)
    if beams.length < generation.min_length:
        ban_word(logits, end)
    if beams.length == generation.max_length - 1:
        ban_all_but(logits, end)
    ban_repeats(logits, beams.tokens.flatten(0, 1), generation.no_repeat_ngram_size)
    return best_candidates(logits, normalisers, beams.totals)


def _greedy_search(
    decoding: Decoding,
    logit_rules: LogitRules,
    generation: Generation,
    *,
    end_is_free: bool = False,
) -> list[list[Hypothesis]]:
    """The likeliest word at every step."""
    tokens = new = logit_rules.prompt
    totals = torch.zeros(len(tokens), device=tokens.device)
    lengths = torch.full_like(tokens[:, 0], generation.max_length)
    last = generation.max_length - 1 if end_is_free else generation.max_length
    for length in range(tokens.shape[1], last):
        logits = decoding.step(new).float()
        normalisers = logits.logsumexp(-1)
        logit_rules.apply(logits, tokens)
        likeliest = logits.max(-1)
        done = lengths < length
        totals += (likeliest.values - normalisers).masked_fill(done, 0)
        new = likeliest.indices.masked_fill(done, logit_rules.end)[:, None]
        lengths = lengths.where(done | ~logit_rules.ended(new[:, 0]), length)
        tokens = torch.cat([tokens, new], 1)
        if bool((lengths <= length).all()):
            break
    lengths = lengths.clamp(max=last)
    scores = totals / lengths**generation.length_penalty
    ends = zip(tokens.tolist(), lengths.tolist(), scores.tolist(), strict=True)
    return [[Hypothesis(row[logit_rules.prompt_length : stop], score)] for row, stop, score in ends]

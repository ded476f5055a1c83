"""Searches against recorded ones of the authors' code, and what every search must keep to."""

from itertools import pairwise

import pytest
import torch
from models.ofa.port_adapter import TableDecoding, search_fs, search_hf
from models.ofa.rule_weights import fine
from models.ofa.tiny_ofa import GOLDENS

from prompt_ensemble.models.text_generation.beam_search import fairseq_search, search_captions
from prompt_ensemble.models.text_generation.beams import best_candidates
from prompt_ensemble.models.text_generation.generation import Generation
from prompt_ensemble.models.text_generation.token_bans import ban_repeats

END, PAD = 2, 1


def table(case, words, end_bias=0.0):
    """Logits that depend on the image, on how far the caption is, and on its last two words."""
    here, before = (
        4 * fine(f"beam.a.{case}", (4, words, words)),
        fine(f"beam.b.{case}", (words, words)),
    )

    def step(row, prefix):
        place = len(prefix) - 1
        previous = prefix[-2] if place else 0
        logits = here[(row + place) % 4, prefix[-1]] + 2 * before[previous]
        logits[END] += end_bias
        return logits

    return step


@pytest.mark.parametrize("number", range(len(GOLDENS["searches"])))
def test_searches_are_the_authors(number):
    recorded = GOLDENS["searches"][number]
    step = table(recorded["case"], recorded["vocab_size"], recorded["eos_bias"])
    if recorded["generator"] == "hf":
        found, scores = search_hf(step, recorded["batch"], **recorded["args"])
        assert found == recorded["sequences"]
        if recorded["scores"] is not None:
            assert scores == pytest.approx(recorded["scores"], abs=1e-4)
        return
    found = search_fs(step, recorded["batch"], **recorded["args"])
    for hypotheses, expected in zip(found, recorded["hypos"], strict=True):
        assert [tokens for tokens, _ in hypotheses] == [row["tokens"] for row in expected]
        scores = [row["score"] for row in expected]
        assert [score for _, score in hypotheses] == pytest.approx(scores, abs=1e-4)


def run(search, images, generation, **options):
    decoding = TableDecoding(table(1, 40), images)
    prompt = torch.zeros(images, 1, dtype=torch.long)
    return search(decoding, prompt, END, *options.pop("ends", ()), generation, **options)


SEARCHES = [
    pytest.param(search_captions, {}, 1, id="greedy"),
    pytest.param(search_captions, {}, 5, id="beam"),
    pytest.param(search_captions, {"end_is_free": True}, 5, id="free-end"),
    pytest.param(fairseq_search, {"ends": (PAD,)}, 5, id="fairseq"),
]


@pytest.mark.parametrize(("search", "options", "beams"), SEARCHES)
def test_a_score_is_the_mean_log_likelihood_of_the_words(search, options, beams):
    generation = Generation(num_beams=beams, max_length=8)
    step = table(1, 40)
    for row, (best, *_) in enumerate(run(search, 3, generation, **dict(options))):
        words = [0, *best.tokens]
        ends = len(words) < generation.max_length and not (
            options.get("end_is_free") and len(words) == generation.max_length - 1
        )
        followed = [*words[1:], END] if ends else words[1:]
        steps = [
            step(row, words[: place + 1]).log_softmax(-1)[word].item()
            for place, word in enumerate(followed)
        ]
        # Today's beams count the words after the start and the end, free or not; a cut has none.
        cut = not ends and not options.get("end_is_free")
        counted = len(words) - (search is search_captions and beams > 1 and cut)
        assert best.score == pytest.approx(sum(steps) / counted, abs=1e-4)


@pytest.mark.parametrize(("search", "options", "beams"), SEARCHES)
def test_no_caption_repeats_an_n_gram_or_ends_too_early_or_too_late(search, options, beams):
    generation = Generation(beams, max_length=14, min_length=9, no_repeat_ngram_size=2)
    for best, *_ in run(search, 4, generation, **dict(options)):
        words = [0, *best.tokens]
        pairs = list(pairwise(words))
        assert len(set(pairs)) == len(pairs)
        assert 9 <= len(words) <= 14
        assert END not in words


def test_more_captions_are_asked_for_than_one():
    generation = Generation(num_beams=5, max_length=10, num_return_sequences=3)
    for hypotheses in run(search_captions, 2, generation):
        assert len({tuple(one.tokens) for one in hypotheses}) == 3
        assert [one.score for one in hypotheses] == sorted(
            (one.score for one in hypotheses), reverse=True
        )


def test_a_prompt_of_several_words_is_continued_and_not_repeated_in_the_result():
    step, generation = table(1, 40), Generation(num_beams=3, max_length=9)
    prompt = torch.tensor([[0, 7, 8]])
    (best, *_) = search_captions(TableDecoding(step, 1), prompt, END, generation)[0]
    likeliest = step(0, [0, 7, 8]).topk(6).indices.tolist()
    assert best.tokens[0] in likeliest
    assert len(best.tokens) <= 6


def test_wider_beams_find_nothing_less_likely_when_lengths_are_equal():
    generation = Generation(num_beams=1, max_length=7, min_length=6)
    greedy = run(search_captions, 4, generation, end_is_free=True)
    wide = Generation(num_beams=20, max_length=7, min_length=6)
    for one, best in zip(greedy, run(search_captions, 4, wide, end_is_free=True), strict=True):
        assert best[0].score >= one[0].score - 1e-6


def test_candidates_are_the_best_of_all_beams_together():
    logits, totals = 3 * fine("logits", (6, 30)), fine("totals", (2, 3))
    found = best_candidates(logits.clone(), logits.logsumexp(-1), totals)
    everything = (logits.log_softmax(-1).view(2, 3, 30) + totals[..., None]).flatten(1)
    best = everything.topk(6)
    torch.testing.assert_close(found.totals, best.values)
    assert torch.equal(found.beams * 30 + found.words, best.indices)


def test_words_that_never_were_numbers_are_never_chosen():
    logits = torch.tensor([[0.0, float("nan"), 1.0], [0.0, 1.0, 2.0]])
    found = best_candidates(logits, logits.logsumexp(-1), torch.zeros(1, 2))
    assert found.beams[0, 0] == 1
    assert found.totals.isnan().sum() == 0


@pytest.mark.parametrize(
    ("size", "banned"), [(0, []), (1, [3, 4, 5]), (2, [5]), (3, [5]), (4, []), (9, [])]
)
def test_words_that_would_repeat_an_n_gram_are_banned(size, banned):
    logits, tokens = torch.zeros(1, 8), torch.tensor([[3, 4, 5, 4, 5, 3, 4]])
    ban_repeats(logits, tokens, size)
    assert torch.nonzero(logits[0] == float("-inf")).flatten().tolist() == banned

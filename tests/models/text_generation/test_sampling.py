"""Sampling draws from the right distribution, within its bounds."""

from itertools import pairwise

import pytest
import torch

from prompt_ensemble.models.text_generation.generation import Generation
from prompt_ensemble.models.text_generation.sampling import draw, sample, streams, within_top

CHANCES = torch.tensor([[0.5, 0.3, 0.15, 0.05]])
ROWS = 4000


def drawn_shares(generation):
    opened = [torch.Generator().manual_seed(seed) for seed in range(ROWS)]
    drawn = draw(CHANCES.log().expand(ROWS, -1), generation, opened, torch.arange(ROWS))
    return drawn.bincount(minlength=4) / ROWS


def test_words_come_as_often_as_they_are_likely():
    torch.testing.assert_close(drawn_shares(Generation()), CHANCES[0], atol=0.03, rtol=0)


def test_low_temperature_prefers_the_likeliest():
    assert drawn_shares(Generation(temperature=0.1))[0] > 0.98


@pytest.mark.parametrize(("share", "kept"), [(0.4, 1), (0.6, 2), (0.8, 2), (0.9, 3), (1.0, 4)])
def test_top_p_keeps_the_fewest_words_that_hold_the_share(share, kept):
    assert within_top(CHANCES.log(), share).isfinite().sum() == kept


def test_every_image_and_caption_has_a_stream_of_its_own():
    pixels = torch.zeros(2, 3, 2, 2, dtype=torch.uint8)
    pixels[1] = 1
    generation = Generation(do_sample=True, num_return_sequences=2)
    first = [torch.rand(1, generator=stream).item() for stream in streams(pixels, generation)]
    assert len(set(first)) == 4


class Alternating:
    """A decoder that knows 4 words and finds all alike."""

    def step(self, tokens):
        return torch.zeros(len(tokens), 4)

    def reorder(self, rows):
        raise AssertionError("nothing to reorder when sampling")


class Leavable(Alternating):
    """The same, and it minds which rows are left: those with even first words like 1, others 2."""

    def __init__(self, rows):
        self.rows = torch.arange(rows)
        self.steps = []

    def step(self, tokens):
        assert len(tokens) == len(self.rows)
        self.steps.append(len(tokens))
        return torch.zeros(len(tokens), 4).scatter_(1, 1 + self.rows[:, None] % 2, 1.0)

    def keep(self, rows):
        self.rows = self.rows[rows]


class Staying(Leavable):
    """The same, but nothing may leave."""

    keep = None


@pytest.mark.parametrize("shared", [False, True])
def test_captions_that_leave_the_batch_change_no_other(shared):
    generation = Generation(do_sample=True, max_length=30, num_return_sequences=4)
    prompt = torch.zeros(10, 1, dtype=torch.long)
    found = []
    for decoding in (Leavable(40), Staying(40)):
        opened = [torch.Generator().manual_seed(seed) for seed in range(4 if shared else 40)]
        captions = sample(decoding, prompt, 3, generation, opened)
        found.append([[c.tokens for c in image] for image in captions])
    assert found[0] == found[1]


def test_what_has_ended_is_no_longer_computed():
    generation = Generation(do_sample=True, max_length=30, num_return_sequences=4)
    decoding = Leavable(40)
    opened = [torch.Generator().manual_seed(seed) for seed in range(40)]
    sample(decoding, torch.zeros(10, 1, dtype=torch.long), 3, generation, opened)
    assert decoding.steps[0] == 40
    assert sum(decoding.steps) < 0.6 * 40 * len(decoding.steps)


def test_bans_hold_and_captions_end():
    generation = Generation(
        do_sample=True, max_length=9, min_length=4, no_repeat_ngram_size=2, num_return_sequences=30
    )
    opened = streams(torch.zeros(1, 3, 2, 2, dtype=torch.uint8), generation)
    (captions,) = sample(Alternating(), torch.zeros(1, 1, dtype=torch.long), 3, generation, opened)
    for caption in captions:
        tokens = [0, *caption.tokens]
        assert 4 <= len(tokens) <= 9
        assert 3 not in tokens
        pairs = list(pairwise(tokens))
        assert len(pairs) == len(set(pairs))
    assert [caption.score for caption in captions] == sorted(
        (c.score for c in captions), reverse=True
    )

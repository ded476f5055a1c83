"""Which pairs a step trains on."""

from __future__ import annotations

import numpy as np
import pytest

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.training.regressor.prompt_sampler import PromptSampler


def test_a_step_draws_distinct_prompts_and_always_the_same() -> None:
    prompts = ["a", "a", "a", "b", "c", "d"]
    tiers = np.array(["A"] * 6)
    sampler = PromptSampler(prompts, tiers, np.arange(6), {"A": 1.0}, seed=3)
    for number in range(20):
        rows, _ = sampler.batch(number, 3)
        assert len({prompts[row] for row in rows}) == 3
        assert np.array_equal(rows, sampler.batch(number, 3)[0])


def test_a_prompt_with_many_images_is_drawn_as_often_as_one_with_one() -> None:
    prompts = ["many"] * 9 + ["one"]
    sampler = PromptSampler(prompts, np.array(["A"] * 10), np.arange(10), {"A": 1.0}, seed=0)
    drawn = np.concatenate([sampler.batch(number, 1)[0] for number in range(400)])
    assert 150 < (drawn == 9).sum() < 250
    assert len(set(drawn)) == 10


def test_a_tier_without_share_is_never_drawn_and_an_unknown_one_is_an_error() -> None:
    tiers = np.array(["A", "B"])
    sampler = PromptSampler(["a", "b"], tiers, np.arange(2), {"A": 1.0, "B": 0.0}, seed=0)
    assert sampler.batch(0, 2)[0].tolist() == [0]
    with pytest.raises(BadConfig, match="tier 'B' has no share"):
        PromptSampler(["a", "b"], tiers, np.arange(2), {"A": 1.0}, seed=0)

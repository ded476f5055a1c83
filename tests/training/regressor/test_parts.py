"""The small parts that training is made of."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from training_samples import TINY, write_pairs

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.data.pairs import read_pairs
from prompt_ensemble.training.regressor.drawing import Draws
from prompt_ensemble.training.regressor.journal import Journal
from prompt_ensemble.training.regressor.layer_rates import depth_of, parameter_groups
from prompt_ensemble.training.regressor.leakage import refuse_leaks
from prompt_ensemble.training.regressor.losses import contrastive_loss, cosine_loss
from prompt_ensemble.training.regressor.recipe_files import read_recipe
from prompt_ensemble.training.regressor.schedule import rate_factor
from prompt_ensemble.training.regressor.weight_average import WeightAverage


@given(st.integers(1, 500), st.floats(0, 0.5))
def test_rates_rise_then_fall_to_nearly_nothing(steps: int, warm_up: float) -> None:
    rates = [rate_factor(step, steps, warm_up) for step in range(steps)]
    top = rates.index(max(rates))
    assert 0 < max(rates) <= 1
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_a_step_draws_distinct_prompts_and_always_the_same() -> None:
    prompts = ["a", "a", "a", "b", "c", "d"]
    tiers = np.array(["A"] * 6)
    draws = Draws(prompts, tiers, np.arange(6), {"A": 1.0}, seed=3)
    for number in range(20):
        rows, _ = draws.step(number, 3)
        assert len({prompts[row] for row in rows}) == 3
        assert np.array_equal(rows, draws.step(number, 3)[0])


def test_a_prompt_with_many_images_is_drawn_as_often_as_one_with_one() -> None:
    prompts = ["many"] * 9 + ["one"]
    draws = Draws(prompts, np.array(["A"] * 10), np.arange(10), {"A": 1.0}, seed=0)
    drawn = np.concatenate([draws.step(number, 1)[0] for number in range(400)])
    assert 150 < (drawn == 9).sum() < 250
    assert len(set(drawn)) == 10


def test_a_tier_without_share_is_never_drawn_and_an_unknown_one_is_an_error() -> None:
    tiers = np.array(["A", "B"])
    draws = Draws(["a", "b"], tiers, np.arange(2), {"A": 1.0, "B": 0.0}, seed=0)
    assert draws.step(0, 2)[0].tolist() == [0]
    with pytest.raises(BadConfig, match="tier 'B' has no share"):
        Draws(["a", "b"], tiers, np.arange(2), {"A": 1.0}, seed=0)


def test_losses_of_right_answers_are_lower() -> None:
    targets = torch.eye(4, 384)
    assert cosine_loss(targets * 3, targets) == pytest.approx(0, abs=1e-6)
    right = contrastive_loss(targets, targets, 0.07)
    assert right < 0.01 < contrastive_loss(targets.roll(1, 0), targets, 0.07)
    assert contrastive_loss(torch.ones(4, 384), targets, 0.07) == pytest.approx(math.log(4))


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("patch_embed.proj.weight", 0),
        ("blocks.0.attn.qkv.weight", 1),
        ("blocks.11.mlp.fc1.bias", 12),
        ("encoder.layers.3.fc1.weight", 4),
        ("transformer.resblocks.5.ln_1.weight", 6),
        ("norm.weight", 13),
    ],
)
def test_layers_are_counted_as_towers_name_them(name: str, depth: int) -> None:
    assert depth_of(name, 12) == depth


def test_rates_fall_with_the_distance_from_the_head() -> None:
    class Tower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])

    tower, head = Tower(), nn.Linear(2, 2)
    groups = parameter_groups(tower, head, TINY)
    rate = {id(p): group["lr"] for group in groups for p in group["params"]}
    rates = [rate[id(block.weight)] for block in tower.blocks]
    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(rates[1] * TINY.layer_decay)
    assert rate[id(head.weight)] == TINY.head_rate
    assert len(rate) == 8


def test_norms_and_biases_are_not_decayed() -> None:
    groups = parameter_groups(nn.Linear(2, 2), nn.LayerNorm(2), TINY)
    for group in groups:
        assert (group["weight_decay"] > 0) == all(p.ndim > 1 for p in group["params"])


def test_the_average_follows_the_weights() -> None:
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    average = WeightAverage(module, decay=0.5)
    nn.init.ones_(module.weight)
    seen = []
    for step in range(100, 104):
        average.update(module, step)
        seen.append(float(average.state["weight"]))
    assert seen == [0.5, 0.75, 0.875, 0.9375]


def test_shared_groups_are_refused() -> None:
    groups = np.array([0, 0, 1, 2])
    refuse_leaks(groups, np.array([0, 1]), np.array([2, 3]))
    with pytest.raises(BadConfig, match="shares 1 groups"):
        refuse_leaks(groups, np.array([0, 2]), np.array([1, 3]))


def test_journal_forgets_what_will_be_done_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for step in (10, 20, 30):
        journal.note(step=step, loss=1 / step)
    with journal.file.open("a") as file:
        file.write('{"step": 4')  # cut off by an interrupt
    journal.forget_after(20)
    assert [note["step"] for note in journal.notes()] == [10, 20]


def test_pairs_name_the_line_that_is_wrong(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path)
    assert pairs.sources[0] == "left"
    listing = tmp_path / "bad.jsonl"
    listing.write_text(json.dumps({"image": "red0.png", "prompt": "x"}) + '\n{"prompt": "y"}\n')
    with pytest.raises(BadConfig, match="line 2 is no pair"):
        read_pairs(listing, ())
    listing.write_text(json.dumps({"image": "absent.png", "prompt": "x"}))
    with pytest.raises(BadConfig, match=r"absent\.png is not in"):
        read_pairs(listing, (tmp_path,))


def test_recipe_from_a_file_and_settings(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text("steps = 12\nhidden = 8\n")
    recipe = read_recipe(file, {"steps": 20})
    assert (recipe.steps, recipe.hidden) == (20, 8)
    with pytest.raises(BadConfig, match="did you mean 'steps'"):
        read_recipe(None, {"stepz": 1})

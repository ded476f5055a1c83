"""The training loop, on a network small enough to learn within a second."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn
from training_samples import TINY, encode, write_pairs

from prompt_ensemble.models.regressor.network import Regressor
from prompt_ensemble.training.journal import Journal
from prompt_ensemble.training.regressor.inputs import Pictures
from prompt_ensemble.training.regressor.prompt_sampler import PromptSampler
from prompt_ensemble.training.regressor.recipe import Recipe
from prompt_ensemble.training.regressor.trainer import Trainer
from prompt_ensemble.training.regressor.validation import Validation

SMALL = replace(TINY, size=16, steps=60, head_steps=0, tower_rate=1e-2, head_rate=1e-2, colour=0.0)


def small_network() -> Regressor:
    torch.manual_seed(0)
    tower = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Regressor(tower, nn.Linear(8, 384))


def trained(folder: Path, recipe: Recipe, **more: object) -> Trainer:
    pairs = write_pairs(folder / "data")
    targets = encode(pairs.prompts)
    inputs = Pictures([pair.image for pair in pairs.rows], recipe)
    rows = np.arange(len(pairs))
    sampler = PromptSampler(pairs.prompts, pairs.tiers, rows, recipe.shares(), recipe.seed)
    trainer = Trainer(small_network(), recipe, Accelerator(cpu=True))
    validation = Validation(inputs, rows, targets, pairs.prompts)
    run = folder / f"run-{recipe.steps}-{recipe.accumulation}"
    trainer.train(
        inputs, torch.from_numpy(targets), sampler, run,
        validation=validation, checkpoint_every=30, **more,
    )  # fmt: skip
    return trainer


def test_learns_the_colours(tmp_path: Path) -> None:
    trained(tmp_path, SMALL)
    notes = Journal(tmp_path / "run-60-1").notes()
    scores = [note["validation"] for note in notes if "validation" in note]
    assert scores[-1] > 0.8


def test_parts_of_a_batch_add_up_to_it(tmp_path: Path) -> None:
    recipe = replace(SMALL, steps=3, contrastive=0.0)
    whole = trained(tmp_path, recipe).average.state
    parts = trained(tmp_path, replace(recipe, accumulation=2)).average.state
    for name in whole:
        assert torch.allclose(whole[name], parts[name], atol=1e-4), name


def test_the_tower_waits_while_the_head_learns(tmp_path: Path) -> None:
    trainer = trained(tmp_path, replace(SMALL, head_steps=60))
    untouched = small_network().state_dict()
    learnt = trainer.network.state_dict()
    assert torch.equal(learnt["tower.0.weight"], untouched["tower.0.weight"])
    assert not torch.equal(learnt["head.weight"], untouched["head.weight"])


def test_scoring_leaves_the_weights_alone(tmp_path: Path) -> None:
    trainer = trained(tmp_path, replace(SMALL, steps=30))
    checkpoint = torch.load(tmp_path / "run-30-1" / "checkpoint.pt", weights_only=True)
    for name, tensor in trainer.network.state_dict().items():
        assert torch.equal(tensor, checkpoint["model"][name])
        assert not torch.equal(tensor, checkpoint["average"][name])

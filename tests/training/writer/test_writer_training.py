"""Training of a writer: it learns, and goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_writer import TEXTS, rows

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.models.checkpoints import load_state
from prompt_ensemble.models.device import Placement
from prompt_ensemble.training.journal import Journal
from prompt_ensemble.training.writer.recipe import WriterRecipe
from prompt_ensemble.training.writer.writer_training import train_writer
from prompt_ensemble.words.writing import PromptWriter

RECIPE = WriterRecipe(
    vocabulary=120, width=32, layers=1, heads=2, rows=2, longest=24, dropout=0.0, variants=0,
    least_error=0.0, most_error=0.1, steps=12, batch_size=8, rate=5e-3, average=0.9,
)  # fmt: skip
PREDICTED, TRUE = rows(40, seed=3), rows(40, seed=4)
PROMPTS = tuple(f"{text} number {word}" for text in TEXTS for word in ("one", "two"))


def encode(texts: Sequence[str]) -> np.ndarray:
    found = [rows(1, seed=sum(text.encode())) for text in texts]
    return np.concatenate(found) if found else np.empty((0, 384), np.float32)


def train(out: Path, recipe: WriterRecipe = RECIPE, **more: int) -> None:
    train_writer(
        PROMPTS, PREDICTED, TRUE, recipe, out, encode=encode, cpu=True, checkpoint_every=4, **more
    )  # fmt: skip


def test_the_loss_falls(tmp_path: Path) -> None:
    train(tmp_path, replace(RECIPE, steps=60))
    held_out = [
        note["held_out_loss"] for note in Journal(tmp_path).notes() if "held_out_loss" in note
    ]
    assert held_out[-1] < held_out[0]


@pytest.mark.parametrize(
    ("self_critical", "stop", "last"),
    [(0, 7, "checkpoint.pt"), (4, RECIPE.steps + 2, "self-critical/checkpoint.pt")],
)
def test_a_stopped_run_ends_in_the_same_weights(
    tmp_path: Path, self_critical: int, stop: int, last: str
) -> None:
    recipe = replace(RECIPE, self_critical_steps=self_critical, self_critical_batch=10)
    train(tmp_path / "whole", recipe)
    train(tmp_path / "parts", recipe, stop_after=stop)
    assert not (tmp_path / "parts" / "writer").exists()
    train(tmp_path / "parts", recipe)
    whole, parts = (load_state(tmp_path / name / last) for name in ("whole", "parts"))
    for name, tensor in whole["model"].items():
        assert torch.allclose(parts["model"][name], tensor, atol=1e-5), name


def test_another_recipe_does_not_continue_a_run(tmp_path: Path) -> None:
    train(tmp_path, stop_after=4)
    with pytest.raises(BadConfig, match="another recipe"):
        train(tmp_path, replace(RECIPE, rate=1.0))


def test_what_was_trained_writes(tmp_path: Path) -> None:
    train(tmp_path)
    writer = PromptWriter(tmp_path / "writer", Placement(torch.device("cpu"), torch.float32))
    assert len(writer.write(rows(2), 3, 1.0)) == 2


@pytest.mark.parametrize("prompts", [(), PROMPTS])
def test_without_a_prompt_to_train_on_the_cure_is_named(
    tmp_path: Path, prompts: tuple[str, ...]
) -> None:
    with pytest.raises(BadConfig, match="give other prompts"):
        train_writer(
            prompts, encode(PROMPTS), encode(PROMPTS), RECIPE, tmp_path, encode=encode, cpu=True
        )


def test_a_handful_of_prompts_is_enough(tmp_path: Path) -> None:
    train_writer(PROMPTS[:3], PREDICTED, TRUE, RECIPE, tmp_path, encode=encode, cpu=True)
    assert (tmp_path / "writer" / "writer.json").is_file()


def test_texts_near_to_judged_ones_are_left_out(tmp_path: Path) -> None:
    judged = encode(PROMPTS[:8])
    record = train_writer(PROMPTS, judged, judged, RECIPE, tmp_path, encode=encode, cpu=True)
    assert record["prompts"] < len(PROMPTS) - record["judged_on"]

"""Training of a regressor from pairs of images and prompts to a saved model, in one call."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from accelerate import Accelerator
from torch import nn

from prompt_ensemble import __version__
from prompt_ensemble.core.embeddings import Encode, unit_rows
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.core.seen_prompts import TRAINED_ON, SeenPrompts
from prompt_ensemble.data.pairs import Pairs
from prompt_ensemble.models.image_towers.image_tower import (
    TowerSpec,
    build_tower,
    describe_tower,
    load_backbones,
)
from prompt_ensemble.models.regressor.head import HeadSpec, build_head
from prompt_ensemble.models.regressor.network import Regressor
from prompt_ensemble.models.regressor.regressor_folder import RegressorCard, save_regressor
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.held_out import HeldOut, split_rows
from prompt_ensemble.training.regressor.frozen_stages import cut_tower
from prompt_ensemble.training.regressor.inputs import Inputs, Pictures, feature_maps
from prompt_ensemble.training.regressor.prompt_sampler import PromptSampler
from prompt_ensemble.training.regressor.recipe import Recipe
from prompt_ensemble.training.regressor.text_start import start_from_prompts
from prompt_ensemble.training.regressor.trainer import Trainer
from prompt_ensemble.training.regressor.validation import Validation

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Network:
    """Tower and head with the descriptions that they are built from again."""

    tower: nn.Module
    tower_spec: TowerSpec
    head: nn.Module
    head_spec: HeadSpec


def train_regressor(
    pairs: Pairs,
    recipe: Recipe,
    out: Path,
    *,
    encode: Encode,
    roots: WeightRoots,
    held_out: HeldOut | None = None,
    cache: Path | None = None,
    checkpoint_every: int = 100,
    stop_after: int | None = None,
    cpu: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train, resuming what ``out`` holds; returns the run's record, also in ``run.json``.

    The model is saved in ``out/regressor`` once all steps are taken.
    """
    held_out = held_out or HeldOut()
    accelerator = Accelerator(mixed_precision=recipe.precision, cpu=cpu)
    targets = unit_rows(encode(pairs.prompts))
    training, judged = split_rows(pairs, targets, held_out)
    recipe, tower_spec = _complete(recipe, roots)
    record = _run_record(pairs, recipe, held_out, training, judged)
    if accelerator.is_main_process:
        write_atomically(out / "run.json", json.dumps(record, indent=1) + "\n")

    torch.manual_seed(recipe.seed)
    mean_prompt = unit_rows(targets[training]).mean(axis=0)
    network = _new_network(recipe, tower_spec, roots, mean_prompt)
    if recipe.head_from_text:
        start_from_prompts(network.head, network.tower, pairs, training, recipe, encode, roots)
    front, back = cut_tower(network.tower, recipe.frozen_stages)
    inputs = _inputs(pairs, recipe, front, cache or out, accelerator, progress)
    sampler = PromptSampler(pairs.prompts, pairs.tiers, training, recipe.shares(), recipe.seed)
    validation = Validation(inputs, judged, targets, pairs.prompts) if len(judged) else None

    trainer = Trainer(Regressor(back, network.head), recipe, accelerator)
    trainer.train(
        inputs, torch.from_numpy(targets), sampler, out, validation=validation,
        checkpoint_every=checkpoint_every, stop_after=stop_after, progress=progress,
    )  # fmt: skip
    if trainer.done == recipe.steps and accelerator.is_main_process:
        record |= _finish(trainer, network, validation, record, out)
        seen = SeenPrompts.of(pairs.rows[row].prompt for row in training)
        seen.save(out / "regressor" / TRAINED_ON)
    return record


def _complete(recipe: Recipe, roots: WeightRoots) -> tuple[Recipe, TowerSpec]:
    """The recipe with what it leaves to the tower, and the tower as its files describe it."""
    spec, usual = describe_tower(recipe.library, recipe.tower, recipe.backbone, roots)
    return replace(
        recipe,
        size=recipe.size or usual.height,
        mean=recipe.mean or usual.mean,
        std=recipe.std or usual.std,
    ), spec


def _new_network(
    recipe: Recipe, spec: TowerSpec, roots: WeightRoots, mean_prompt: np.ndarray
) -> Network:
    """Tower and head as training finds them; the head starts at the mean prompt."""
    tower = build_tower(spec)
    load_backbones(tower, spec, roots)
    if recipe.gradient_checkpointing:
        tower.set_grad_checkpointing(True)  # type: ignore[operator]
    head_spec = HeadSpec(recipe.head, _feature_width(tower, recipe), recipe.hidden, recipe.dropout)
    head = build_head(head_spec)
    last = [module for module in head.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        last.bias.copy_(torch.from_numpy(mean_prompt))
    return Network(tower, spec, head, head_spec)


@torch.inference_mode()
def _feature_width(tower: nn.Module, recipe: Recipe) -> int:
    """Length of the tower's feature rows."""
    return int(tower.eval()(torch.zeros(1, 3, recipe.size, recipe.size)).shape[1])


def _inputs(
    pairs: Pairs,
    recipe: Recipe,
    front: nn.Module,
    cache: Path,
    accelerator: Accelerator,
    progress: Progress,
) -> Inputs:
    """Pictures, or maps of the frozen stages, which the first process computes."""
    if not recipe.frozen_stages:
        return Pictures([pair.image for pair in pairs.rows], recipe)
    with accelerator.main_process_first():
        return feature_maps(
            front, pairs, recipe, cache, device=accelerator.device, progress=progress
        )


def _run_record(
    pairs: Pairs, recipe: Recipe, held_out: HeldOut, training: np.ndarray, judged: np.ndarray
) -> dict[str, Any]:
    """All it takes to repeat the run."""
    return {
        "recipe": asdict(recipe),
        "held_out": asdict(held_out),
        "pairs_sha256": pairs.digest,
        "pairs": len(pairs),
        "trained_on": len(training),
        "judged_on": len(judged),
        "versions": {
            "prompt_ensemble": __version__, "torch": torch.__version__, "timm": timm.__version__,
        },
    }  # fmt: skip


def _finish(
    trainer: Trainer,
    network: Network,
    validation: Validation | None,
    record: dict[str, Any],
    out: Path,
) -> dict[str, Any]:
    """Score and save the averaged weights."""
    weights, device = trainer.average.state, trainer.accelerator.device
    score = validation.score(trainer.network, weights, device) if validation else None
    trainer.network.load_state_dict(weights)
    training = record | {"score": score, "score_is": "mean cosine on held-out groups of prompts"}
    # The tower has learnt: its weights are saved with the head, not named as published ones.
    tower_spec = replace(network.tower_spec, backbone=None)
    preprocessing = trainer.recipe.preprocessing()
    card = RegressorCard(tower_spec, network.head_spec, preprocessing, training)
    save_regressor(Regressor(network.tower, network.head), card, out / "regressor")
    write_atomically(out / "run.json", json.dumps(training, indent=1) + "\n")
    log.info("saved %s, held-out score %s", out / "regressor", score)
    return {"score": score, "regressor": str(out / "regressor")}

"""Training of a regressor from pairs of images and prompts to a saved model, in one call."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from prompt_ensemble.core.embeddings import Encode, unit_rows
from prompt_ensemble.core.errors import BadConfig, nearest_name
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.core.seen_prompts import TRAINED_ON, SeenPrompts
from prompt_ensemble.data.groups import connected_groups
from prompt_ensemble.data.pairs import Pairs
from prompt_ensemble.data.splits import hold_out
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
from prompt_ensemble.training.regressor.drawing import Draws
from prompt_ensemble.training.regressor.inputs import Inputs, Pictures, maps_of, preprocessing_of
from prompt_ensemble.training.regressor.leakage import refuse_leaks
from prompt_ensemble.training.regressor.recipe import Recipe
from prompt_ensemble.training.regressor.stages import cut_tower
from prompt_ensemble.training.regressor.text_start import (
    distinct_prompts,
    start_from_text,
    text_rows,
)
from prompt_ensemble.training.regressor.trainer import Trainer
from prompt_ensemble.training.regressor.validation import Validation

PICTURES_TO_PLACE = 256
"""Pictures whose mean row tells where pictures lie, when texts teach the head."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HeldOut:
    """Which pairs are kept for judging: whole sources, else a share of groups; 0 is none."""

    sources: tuple[str, ...] = ()
    share: float = 0.1
    allow_shared_prompts: bool = False


def train_regressor(
    pairs: Pairs,
    recipe: Recipe,
    out: Path,
    *,
    encode: Encode,
    roots: WeightRoots,
    held_out: HeldOut = HeldOut(),
    cache: Path | None = None,
    checkpoint_every: int = 100,
    stop_after: int | None = None,
    cpu: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train, resuming what ``out`` holds; returns the run's record, also in ``run.json``.

    The model is saved in ``out/regressor`` once all steps are taken.
    """
    accelerator = Accelerator(mixed_precision=recipe.precision, cpu=cpu)
    targets = unit_rows(encode(pairs.prompts))
    training, judged = split_rows(pairs, targets, held_out)
    recipe, spec = completed(recipe, roots)
    record = run_record(pairs, recipe, held_out, training, judged)
    if accelerator.is_main_process:
        write_atomically(out / "run.json", json.dumps(record, indent=1) + "\n")

    torch.manual_seed(recipe.seed)
    mean_prompt = unit_rows(targets[training]).mean(axis=0)
    tower, head, head_spec = new_network(recipe, spec, roots, mean_prompt)
    if recipe.head_from_text:
        teach_by_text(head, tower, pairs, training, recipe, encode, roots)
    front, back = cut_tower(tower, recipe.frozen_stages)
    inputs = inputs_of(pairs, recipe, front, cache or out, accelerator, progress)
    draws = Draws(pairs.prompts, pairs.tiers, training, recipe.shares(), recipe.seed)
    validation = Validation(inputs, judged, targets, pairs.prompts) if len(judged) else None

    trainer = Trainer(Regressor(back, head), recipe, accelerator)
    trainer.train(
        inputs, torch.from_numpy(targets), draws, out, validation=validation,
        checkpoint_every=checkpoint_every, stop_after=stop_after, progress=progress,
    )  # fmt: skip
    if trainer.done == recipe.steps and accelerator.is_main_process:
        record |= finish(trainer, tower, spec, head, head_spec, validation, record, out)
        seen = SeenPrompts.of(pairs.rows[row].prompt for row in training)
        seen.save(out / "regressor" / TRAINED_ON)
    return record


def split_rows(
    pairs: Pairs, targets: np.ndarray, held_out: HeldOut
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows to judge by, which share no group of near-duplicates.

    With held-out sources, images elsewhere of the same groups are in neither.
    """
    rows = np.arange(len(pairs))
    if not held_out.sources and not held_out.share:
        return rows, rows[:0]
    groups = connected_groups(targets)
    if held_out.sources:
        known = sorted(set(pairs.sources.tolist()))
        for name in held_out.sources:
            if name not in known:
                raise BadConfig(f"no pairs are of source {name!r}; {nearest_name(name, known)}")
        judged = np.isin(pairs.sources, held_out.sources)
    else:
        judged = hold_out(groups, held_out.share)
    if held_out.allow_shared_prompts:
        return rows[~judged], rows[judged]
    training = rows[~judged & ~np.isin(groups, groups[judged])]
    if not len(training):
        raise BadConfig("held-out pairs share their prompts with all others; hold out fewer")
    refuse_leaks(groups, training, rows[judged])
    return training, rows[judged]


def completed(recipe: Recipe, roots: WeightRoots) -> tuple[Recipe, TowerSpec]:
    """The recipe with what it leaves to the tower, and the tower as its files describe it."""
    spec, own = describe_tower(recipe.library, recipe.tower, recipe.backbone, roots)
    return replace(
        recipe,
        size=recipe.size or own.height,
        mean=recipe.mean or own.mean,
        std=recipe.std or own.std,
    ), spec


def new_network(
    recipe: Recipe, spec: TowerSpec, roots: WeightRoots, mean_prompt: np.ndarray
) -> tuple[nn.Module, nn.Module, HeadSpec]:
    """Tower and head as training finds them; the head starts at the mean prompt."""
    tower = build_tower(spec)
    load_backbones(tower, spec, roots)
    if recipe.gradient_checkpointing:
        tower.set_grad_checkpointing(True)  # type: ignore[operator]
    head_spec = HeadSpec(recipe.head, feature_width(tower, recipe), recipe.hidden, recipe.dropout)
    head = build_head(head_spec)
    last = [module for module in head.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        last.bias.copy_(torch.from_numpy(mean_prompt))
    return tower, head, head_spec


def teach_by_text(
    head: nn.Module,
    tower: nn.Module,
    pairs: Pairs,
    training: np.ndarray,
    recipe: Recipe,
    encode: Encode,
    roots: WeightRoots,
) -> None:
    """Set the head from the training prompts; a few pictures tell where pictures lie."""
    texts, targets = distinct_prompts(pairs.prompts, training, encode)
    some = Pictures([pairs.rows[row].image for row in training[:PICTURES_TO_PLACE]], recipe)
    with torch.inference_mode():
        pictures = tower.eval()(some.plain(np.arange(len(some.images)))).numpy()
    rows = text_rows(recipe, texts, roots)
    start_from_text(head, rows, targets, pictures, targets.mean(axis=0))


@torch.inference_mode()
def feature_width(tower: nn.Module, recipe: Recipe) -> int:
    """Length of the tower's feature rows."""
    return int(tower.eval()(torch.zeros(1, 3, recipe.size, recipe.size)).shape[1])


def inputs_of(
    pairs: Pairs,
    recipe: Recipe,
    front: nn.Module,
    cache: Path,
    accelerator: Accelerator,
    progress: Progress,
) -> Inputs:
    """Pictures, or maps of the frozen stages, which the first process computes."""
    pictures = Pictures([pair.image for pair in pairs.rows], recipe)
    if not recipe.frozen_stages:
        return pictures
    file = cache / f"maps-{maps_key(pairs, recipe)}.npy"
    with accelerator.main_process_first():
        return maps_of(front, pictures, file, device=accelerator.device, progress=progress)


def maps_key(pairs: Pairs, recipe: Recipe) -> str:
    """Names the maps by all that they depend on."""
    names = (
        "library", "tower", "backbone", "size", "mean", "std", "frozen_stages", "views",
        "smallest_crop", "stretch", "flips", "colour", "seed",
    )  # fmt: skip
    parts = {name: getattr(recipe, name) for name in names}
    return hashlib.sha256(json.dumps([pairs.digest, parts]).encode()).hexdigest()[:16]


def run_record(
    pairs: Pairs, recipe: Recipe, held_out: HeldOut, training: np.ndarray, judged: np.ndarray
) -> dict[str, Any]:
    """All it takes to repeat the run."""
    import timm

    from prompt_ensemble import __version__

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


def finish(
    trainer: Trainer,
    tower: nn.Module,
    spec: TowerSpec,
    head: nn.Module,
    head_spec: HeadSpec,
    validation: Validation | None,
    record: dict[str, Any],
    out: Path,
) -> dict[str, Any]:
    """Score and save the averaged weights."""
    device = trainer.accelerator.device
    score = validation.score(trainer.plain, trainer.average, device) if validation else None
    trainer.plain.load_state_dict(trainer.average.state)
    training = record | {"score": score, "score_is": "mean cosine on held-out groups of prompts"}
    recipe = trainer.recipe
    own = replace(spec, backbone=None)  # the tower has learnt: its weights are saved with the head
    card = RegressorCard(own, head_spec, preprocessing_of(recipe), training)
    save_regressor(Regressor(tower, head), card, out / "regressor")
    write_atomically(out / "run.json", json.dumps(training, indent=1) + "\n")
    log.info("saved %s, held-out score %s", out / "regressor", score)
    return {"score": score, "regressor": str(out / "regressor")}

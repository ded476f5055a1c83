"""Fine-tuning of a published captioner from pairs of images and prompts, in one call.

Judged is what users get: captions that are generated for held-out images, by the cosine of their
embedding with that of the true prompt. The best of the averaged weights are published.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from prompt_ensemble import __version__
from prompt_ensemble.core.embeddings import Encode, unit_rows
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.core.seen_prompts import TRAINED_ON, SeenPrompts
from prompt_ensemble.data.pairs import Pairs
from prompt_ensemble.data.thinning import Thinning, thinned
from prompt_ensemble.members.captioners.layouts import find_captioner
from prompt_ensemble.members.captioners.tunable_captioner import Published, TunableCaptioner
from prompt_ensemble.members.registry import predictor_class
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.fine_tuning.caption_batches import CaptionBatches, Frame
from prompt_ensemble.training.fine_tuning.families import family_of
from prompt_ensemble.training.fine_tuning.fine_tuner import FineTuner
from prompt_ensemble.training.fine_tuning.held_out_captions import HeldOutCaptions
from prompt_ensemble.training.fine_tuning.learning_parts import LearningParts
from prompt_ensemble.training.fine_tuning.publishing import publish
from prompt_ensemble.training.fine_tuning.recipe import FineTuneRecipe
from prompt_ensemble.training.held_out import HeldOut, split_rows
from prompt_ensemble.training.row_chances import row_chances

log = logging.getLogger(__name__)
CAPTIONER = "captioner"
"""Folder of the result, in the run folder."""
HELD_OUT = "held_out.csv"
"""Held-out images and what the captioner says of them."""


def fine_tune(
    name: str,
    pairs: Pairs,
    recipe: FineTuneRecipe,
    out: Path,
    *,
    encode: Encode,
    roots: WeightRoots,
    held_out: HeldOut | None = None,
    checkpoint_every: int = 200,
    stop_after: int | None = None,
    cpu: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train captioner ``name``, resuming what ``out`` holds; returns the record in ``run.json``.

    The captioner is in ``out/captioner`` once training has ended, in the layout it came in.
    """
    held_out = held_out or HeldOut()
    accelerator = Accelerator(mixed_precision=recipe.precision, cpu=cpu)
    torch.manual_seed(recipe.seed)
    kind, path = find_captioner(name, roots)
    family = family_of(kind)
    predictor = _predictor(kind, path, roots)
    chosen = thinned(pairs, Thinning(recipe.images_a, recipe.images_other))
    pairs = replace(pairs, rows=tuple(pairs.rows[row] for row in chosen.tolist()))
    truth = unit_rows(encode(pairs.prompts))
    training, judged = split_rows(pairs, truth, held_out)
    published = predictor.read(choose_placement("cpu"))
    frame = _frame(predictor, published, recipe)
    predictor = _predictor(kind, path, roots, max_length=frame.longest)
    batches = _batches(pairs, training, predictor, published, frame, recipe)
    parts = LearningParts(published.model, family, recipe)
    record: dict[str, Any] = {
        "from": name, "kind": kind, "recipe": asdict(recipe), "held_out": asdict(held_out),
        "pairs_sha256": pairs.digest, "pairs": len(pairs), "trained_on": len(training),
        "judged_on": len(judged),
        "versions": {"prompt_ensemble": __version__, "torch": torch.__version__},
    }  # fmt: skip
    if accelerator.is_main_process:
        write_atomically(out / "run.json", json.dumps(record, indent=1) + "\n")
    judge = None
    if len(judged):
        judge = HeldOutCaptions.of(pairs, judged, truth, encode, recipe, accelerator.device)
    tuner = FineTuner(predictor, published, parts, recipe, accelerator)
    has_ended = tuner.train(
        batches, out, judge=judge, checkpoint_every=checkpoint_every, stop_after=stop_after,
        progress=progress,
    )  # fmt: skip
    if has_ended and accelerator.is_main_process:
        tuner.put_best(out)
        parts.merge(out)
        if judge:
            record |= judge.write(predictor.searching(published), out / HELD_OUT)
        publish(predictor, published.model, frame.longest, out / CAPTIONER)
        seen = SeenPrompts.of(pairs.prompts[row] for row in training.tolist())
        seen.save(out / CAPTIONER / TRAINED_ON)
        record |= {"steps": tuner.done, "captioner": str(out / CAPTIONER)}
        write_atomically(out / "run.json", json.dumps(record, indent=1) + "\n")
    return record


def _predictor(kind: str, path: Path, roots: WeightRoots, **options: int) -> TunableCaptioner:
    """The captioner at ``path``, its files looked through."""
    found = predictor_class(kind)
    predictor = found(str(path), found.Options(**options), roots)
    assert isinstance(predictor, TunableCaptioner)
    predictor.check()
    return predictor


def _frame(predictor: TunableCaptioner, published: Published, recipe: FineTuneRecipe) -> Frame:
    """What stands around captions, as the captioner itself will begin and end them."""
    searching = predictor.searching(published)
    opening = searching.rules.opening(len(searching.prompt))
    prompt = (*searching.prompt, *opening)
    longest = min(recipe.longest, searching.longest)
    if longest < len(prompt) + 2:
        raise BadConfig(
            f"longest={recipe.longest} leaves no room: captions of {predictor.path} begin with "
            f"{len(prompt)} tokens; give {len(prompt) + 2} or more"
        )
    return Frame(prompt, searching.end, longest)


def _batches(
    pairs: Pairs,
    training: np.ndarray,
    predictor: TunableCaptioner,
    published: Published,
    frame: Frame,
    recipe: FineTuneRecipe,
) -> CaptionBatches:
    """Training rows whose prompts have tokens."""
    texts: Sequence[list[int]] = [
        predictor.pieces(published, " ".join(prompt.split())) for prompt in pairs.prompts
    ]
    rows = [row for row in training.tolist() if texts[row]]
    if not rows:
        raise BadConfig("no prompt is left to train on; give other pairs, or hold out fewer")
    chances = row_chances(pairs.prompts, pairs.tiers.tolist(), recipe.shares())
    return CaptionBatches(
        [pairs.rows[row].image for row in rows], [texts[row] for row in rows], chances[rows],
        published.preprocessing, frame, recipe.batch_size, recipe.seed,
    )  # fmt: skip

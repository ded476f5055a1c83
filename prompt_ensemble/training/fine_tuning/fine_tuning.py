"""Fine-tuning of a published captioner from pairs of images and prompts, in one call.

Judged is what users get: captions that are generated for held-out images, by the cosine of their
embedding with that of the true prompt. The best of the averaged weights are published.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs

from prompt_ensemble import __version__
from prompt_ensemble.core.embeddings import Encode, unit_rows
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.core.seen_prompts import TRAINED_ON, SeenPrompts
from prompt_ensemble.data.pairs import Pairs
from prompt_ensemble.data.thinning import Thinning, thin
from prompt_ensemble.members.captioners.layouts import find_captioner
from prompt_ensemble.members.captioners.tunable_captioner import Published, TunableCaptioner
from prompt_ensemble.members.registry import predictor_class
from prompt_ensemble.models.device import Placement, choose_placement
from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.fine_tuning.caption_batches import CaptionBatches, Frame
from prompt_ensemble.training.fine_tuning.families import family_of
from prompt_ensemble.training.fine_tuning.fine_tuner import FineTuner
from prompt_ensemble.training.fine_tuning.held_out_images import HeldOutImages
from prompt_ensemble.training.fine_tuning.learning_parts import LearningParts
from prompt_ensemble.training.fine_tuning.publishing import publish
from prompt_ensemble.training.fine_tuning.recipe import FineTuneRecipe
from prompt_ensemble.training.held_out import HeldOut, split_rows
from prompt_ensemble.training.judged_captions import HELD_OUT, JudgedPairs
from prompt_ensemble.training.row_chances import row_chances

log = logging.getLogger(__name__)
CAPTIONER = "captioner"
"""Folder of the result, in the run folder."""
_PRECISIONS = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""What accelerate's names of precisions mean."""


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
    accelerator = _accelerator(recipe, cpu)
    torch.manual_seed(recipe.seed)
    kind, path = find_captioner(name, roots)
    family = family_of(kind)
    predictor = _predictor(kind, path, roots)
    split = _split(pairs, held_out or HeldOut(), encode, recipe)
    published = predictor.read(choose_placement("cpu"))
    frame = _frame(predictor, published, recipe)
    predictor = _predictor(kind, path, roots, max_length=frame.longest)
    batches = _batches(split, predictor, published, frame, recipe)
    record: dict[str, Any] = {
        "from": name, "kind": kind, "recipe": asdict(recipe),
        "held_out": asdict(held_out or HeldOut()), "pairs_sha256": pairs.digest,
        "pairs": len(split.pairs), "trained_on": len(split.training),
        "judged_on": len(split.looked_at.rows),
        "versions": {"prompt_ensemble": __version__, "torch": torch.__version__},
    }  # fmt: skip
    if accelerator.is_main_process:
        _write_record(record, out)
    parts = LearningParts(published.model, family, recipe)
    tuner = FineTuner(predictor, published, parts, recipe, accelerator)
    images = _held_out_images(split, recipe, accelerator)

    def judge(captioner: SearchingCaptioner) -> float:
        assert images is not None, "nothing is judged where nothing is held out"
        return split.looked_at.score(images.captions(captioner))

    has_ended = tuner.train(
        batches, out, judge=judge if images else None,
        checkpoint_every=checkpoint_every, stop_after=stop_after, progress=progress,
    )  # fmt: skip
    if has_ended and accelerator.is_main_process:
        tuner.put_best(out)
        parts.merge(out)
        publish(predictor, published.model, frame.longest, out / CAPTIONER)
        seen = SeenPrompts.of(split.pairs.prompts[row] for row in split.training.tolist())
        seen.save(out / CAPTIONER / TRAINED_ON)
        if images:
            said = images.captions(predictor.searching(published))
            before = images.captions(predictor.load(images.placement))
            record |= split.looked_at.write(said, before, out / HELD_OUT)
        record |= {"steps": tuner.done, "captioner": str(out / CAPTIONER)}
        _write_record(record, out)
    return record


@dataclass(frozen=True, eq=False)
class _Split:
    """Pairs, those of them to learn from, and those to look at."""

    pairs: Pairs
    training: np.ndarray
    looked_at: JudgedPairs


def _split(pairs: Pairs, held_out: HeldOut, encode: Encode, recipe: FineTuneRecipe) -> _Split:
    """As many pairs as the recipe takes of each prompt; of those held out, some at random."""
    pairs = thin(pairs, Thinning(recipe.images_a, recipe.images_other))
    truth = unit_rows(encode(pairs.prompts))
    training, judged = split_rows(pairs, truth, held_out)
    rows = np.random.default_rng(recipe.seed).permutation(judged)[: recipe.judged_images]
    rows.sort()
    looked_at = JudgedPairs(tuple(pairs.rows[row] for row in rows.tolist()), truth[rows], encode)
    return _Split(pairs, training, looked_at)


def _accelerator(recipe: FineTuneRecipe, cpu: bool) -> Accelerator:
    """Refuses a batch of which some part or process would get no image."""
    # Some published networks have heads that captions do not need, so that nothing teaches them.
    heads = DistributedDataParallelKwargs(find_unused_parameters=True)
    accelerator = Accelerator(mixed_precision=recipe.precision, cpu=cpu, kwargs_handlers=[heads])
    parts = recipe.accumulation * accelerator.num_processes
    if recipe.batch_size < parts:
        raise BadConfig(
            f"batch_size={recipe.batch_size} cannot be computed in {parts} parts "
            f"(accumulation={recipe.accumulation} on {accelerator.num_processes} devices); "
            f"give batch_size={parts} or more"
        )
    return accelerator


def _held_out_images(
    split: _Split, recipe: FineTuneRecipe, accelerator: Accelerator
) -> HeldOutImages | None:
    """The images to look at, if any are held out."""
    if not split.looked_at.rows:
        return None
    placement = Placement(accelerator.device, _PRECISIONS[recipe.precision])
    return HeldOutImages(split.looked_at.images, placement, recipe.batch_size)


def _write_record(record: dict[str, Any], out: Path) -> None:
    write_atomically(out / "run.json", json.dumps(record, indent=1) + "\n")


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
    split: _Split,
    predictor: TunableCaptioner,
    published: Published,
    frame: Frame,
    recipe: FineTuneRecipe,
) -> CaptionBatches:
    """Training rows whose prompts have tokens."""
    pairs = split.pairs
    texts: Sequence[list[int]] = [
        predictor.pieces(published, " ".join(prompt.split())) for prompt in pairs.prompts
    ]
    rows = [row for row in split.training.tolist() if texts[row]]
    if not rows:
        raise BadConfig("no prompt is left to train on; give other pairs, or hold out fewer")
    chances = row_chances(pairs.prompts, pairs.tiers.tolist(), recipe.shares())
    return CaptionBatches(
        [pairs.rows[row].image for row in rows], [texts[row] for row in rows], chances[rows],
        published.preprocessing, frame, recipe.batch_size, recipe.seed,
    )  # fmt: skip

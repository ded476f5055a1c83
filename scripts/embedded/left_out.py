"""Predictions of the embedded members for sources left out of their training, for ``tune``."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.data.groups import connected_groups
from prompt_ensemble.data.pairs import Pairs
from prompt_ensemble.data.splits import leave_one_source_out
from prompt_ensemble.members.contract import Batch
from prompt_ensemble.members.phrases.phrase_predictor import PhraseOptions, PhrasePredictor
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.feature_head.feature_head import FeatureHeadRecipe
from prompt_ensemble.training.feature_head.feature_head_run import Material, fit_function
from prompt_ensemble.training.feature_head.source_scores import judged_sources
from scripts.embedded.recipes import CLIP, LITES

PROMPTS = "prompts.csv"
OPTIONS = PhraseOptions(vectors_from="clip")


def left_out_members(
    material: Material, recipes: Mapping[str, FeatureHeadRecipe]
) -> dict[str, Embeddings]:
    """Members of the preset ``embedded``; each judged source by heads that never saw it."""
    clip = left_out(material, recipes[CLIP])
    return {
        "clip": clip,
        "lites": left_out(material, recipes[LITES]),
        "phrases": near_phrases(clip, material.roots),
    }


def left_out(material: Material, recipe: FeatureHeadRecipe) -> Embeddings:
    """A head's predictions for every row of the judged sources."""
    pairs, rows = material.pairs, material.rows
    prompts = [pairs.rows[row].prompt for row in rows]
    judged = judged_sources(prompts, pairs.sources[rows], pairs.tiers[rows])
    fit = fit_function(material, recipe)
    parts = []
    groups = connected_groups(material.targets)
    for source, training, held_out in leave_one_source_out(groups, list(pairs.sources[rows])):
        if source in judged:
            judged_rows = np.flatnonzero(held_out)
            predicted = fit(np.flatnonzero(training))(judged_rows)
            parts.append((_row_ids(rows[judged_rows]), predicted))
    ids = tuple(name for names, _ in parts for name in names)
    vectors = np.concatenate([predicted for _, predicted in parts])
    return Embeddings.of(ids, vectors.astype(np.float32))


def _row_ids(rows: np.ndarray) -> tuple[str, ...]:
    """An id for each row of the listing."""
    return tuple(f"row{row:06}" for row in rows.tolist())


@torch.inference_mode()
def near_phrases(
    vectors: Embeddings, roots: WeightRoots, options: PhraseOptions = OPTIONS
) -> Embeddings:
    """Predictions of the member ``phrases`` from these vectors."""
    member = PhrasePredictor("", options, roots)
    needed = {options.vectors_from: Outputs.of_vectors(vectors.image_ids, vectors.vectors)}
    outputs = member.open(choose_placement("cpu")).run(Batch(vectors.image_ids, needed=needed))
    return member.embed(outputs, lambda texts: np.empty((0, 384)))


def write_left_out(members: Mapping[str, Embeddings], pairs: Pairs, out: Path) -> list[Path]:
    """Files that ``tune`` reads: embeddings of each member, and the true prompts."""
    for stale in out.glob("*.safetensors"):
        stale.unlink()
    for name, embeddings in members.items():
        embeddings.save(out / f"{name}.safetensors")
    prompts = dict(zip(_row_ids(np.arange(len(pairs))), pairs.prompts, strict=True))
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["imgId", "prompt"])
    table.writerows((name, prompts[name]) for name in next(iter(members.values())).image_ids)
    write_atomically(out / PROMPTS, text.getvalue())
    return [out / f"{name}.safetensors" for name in members]

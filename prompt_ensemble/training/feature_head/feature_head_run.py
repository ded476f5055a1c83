"""From a listing of pairs to a saved feature head and its table of left-out sources."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from prompt_ensemble.core.embeddings import Embeddings, Encode
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.core.seen_prompts import TRAINED_ON, SeenPrompts
from prompt_ensemble.data.groups import connected_groups
from prompt_ensemble.data.open_prompts import open_prompt_rows
from prompt_ensemble.data.pairs import Pairs
from prompt_ensemble.data.thinning import thinned
from prompt_ensemble.models.image_towers.image_tower import TowerSpec
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.feature_head.class_names import class_rows
from prompt_ensemble.training.feature_head.feature_head import (
    FeatureHeadRecipe,
    PriorKnowledge,
    features_of,
    fit_head,
    save_head,
)
from prompt_ensemble.training.feature_head.source_scores import Fit, judged_sources, score_sources

SCORES = "source_scores.json"
"""Where a run keeps its table of left-out sources."""
_FROZEN_LITE0 = FeatureHeadRecipe(
    TowerSpec("timm", "tf_efficientnet_lite0", "efficientnet-lite0"),
    penalty=3.0,
    source_share=0.0,
    class_pull=0.0,
    damping=0.0,
)
"""The plain recipe that every other has to beat."""


@dataclass(frozen=True, eq=False)
class Material:
    """Thinned pairs, their targets, what is known beforehand, and where features are kept."""

    pairs: Pairs
    rows: np.ndarray
    targets: np.ndarray
    known: PriorKnowledge
    roots: WeightRoots
    cache: Path
    progress: Progress = silent

    def features(self, recipe: FeatureHeadRecipe) -> np.ndarray:
        """Features of the rows, computed once."""
        return features_of(self.pairs, self.rows, recipe, self.roots, self.cache, self.progress)


def gather(
    pairs: Pairs,
    recipe: FeatureHeadRecipe,
    cache: Path,
    *,
    encode: Encode,
    roots: WeightRoots,
    open_prompts: Path | None = None,
    prior: str = "embedded-prior",
    progress: Progress = silent,
) -> Material:
    """All that a head is trained and judged with."""
    rows = thinned(pairs, recipe.thinning)
    targets = encode([pairs.rows[row].prompt for row in rows])
    base = Embeddings.load(roots.find(prior).path / "prior.safetensors").vectors[0]
    wider = open_prompt_rows(open_prompts, encode, cache) if open_prompts else None
    known = PriorKnowledge(base, class_rows(encode) if recipe.class_pull else None, wider)
    return Material(pairs, rows, targets, known, roots, cache, progress)


def run_feature_head(
    material: Material, recipe: FeatureHeadRecipe, out: Path, *, judge: bool = True
) -> dict[str, Any]:
    """Score on left-out sources if asked to, then train on all rows and save ``out/regressor``."""
    open_prompts = material.known.open_prompts
    training: dict[str, Any] = {
        "pairs_sha256": material.pairs.digest,
        "trained_on": len(material.rows),
        "open_prompts": 0 if open_prompts is None else len(open_prompts),
    }
    if judge:
        scores = judge_head(material, recipe)
        write_atomically(out / SCORES, json.dumps(scores, indent=1) + "\n")
        training |= {"left_out_sources": scores["mean"], "margin_over": scores["margin_over"]}
    head = fit_head(
        material.features(recipe), material.targets, material.pairs, material.rows, recipe,
        material.known,
    )  # fmt: skip
    save_head(head, recipe, material.roots, training, out / "regressor")
    training_prompts(material.pairs, material.rows).save(out / "regressor" / TRAINED_ON)
    return training | {"regressor": str(out / "regressor")}


def training_prompts(pairs: Pairs, rows: np.ndarray) -> SeenPrompts:
    """The prompts that a head was trained on, as they are saved with it."""
    return SeenPrompts.of(pairs.rows[row].prompt for row in rows)


def judge_head(material: Material, recipe: FeatureHeadRecipe) -> dict[str, Any]:
    """The table of left-out sources for this recipe, the plain one and the controls."""
    pairs, rows = material.pairs, material.rows
    prompts = [pairs.rows[row].prompt for row in rows]
    plain = replace(_FROZEN_LITE0, shares=recipe.shares)
    models = {
        "this model": fit_function(material, recipe),
        "ridge on frozen Lite0": fit_function(material, plain),
    }
    return score_sources(
        models, material.targets, prompts, pairs.sources[rows],
        connected_groups(material.targets),
        judged_sources(prompts, pairs.sources[rows], pairs.tiers[rows]), material.known.base,
        material.progress,
    )  # fmt: skip


def fit_function(material: Material, recipe: FeatureHeadRecipe) -> Fit:
    """A function that fits a head to some of the rows and predicts others."""
    features = material.features(recipe)

    def fit(training: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        head = fit_head(
            features[training], material.targets[training], material.pairs,
            material.rows[training], recipe, material.known,
        )  # fmt: skip
        return lambda judged: head(features[judged])

    return fit

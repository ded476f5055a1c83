"""From a listing of pairs to a saved feature head and its table of left-out sources."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from prompt_ensemble.dataset.groups import connected_groups
from prompt_ensemble.embeddings import Embeddings
from prompt_ensemble.predictors import Encode
from prompt_ensemble.progress import Progress, silent
from prompt_ensemble.regression.towers import TowerSpec
from prompt_ensemble.training.feature_head import (
    FeatureHeadRecipe,
    features_of,
    row_weights,
    save_scores,
    train_feature_head,
)
from prompt_ensemble.training.pairs import Pairs
from prompt_ensemble.training.ridge_head import fit_ridge_head, starting_point
from prompt_ensemble.training.source_scores import Fit, judged_sources, score_sources
from prompt_ensemble.training.thinning import thinned
from prompt_ensemble.weights import WeightRoots

FROZEN_LITE0 = FeatureHeadRecipe(
    TowerSpec("timm", "tf_efficientnet_lite0", "efficientnet-lite0"), penalty=3.0
)
"""The plain recipe that every other has to beat."""


def run_feature_head(
    pairs: Pairs,
    recipe: FeatureHeadRecipe,
    out: Path,
    *,
    encode: Encode,
    roots: WeightRoots,
    prior: str = "embedded-prior",
    cache: Path | None = None,
    judge: bool = True,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Score on left-out sources if asked to, then train on all and save in ``out/regressor``."""
    rows = thinned(pairs, recipe.thinning)
    targets = encode([pairs.rows[row].prompt for row in rows])
    base = Embeddings.load(roots.find(prior).path / "prior.safetensors").vectors[0]
    store = cache or out
    features = features_of(pairs, rows, recipe, roots, store, progress)
    training: dict[str, Any] = {"pairs_sha256": pairs.digest, "trained_on": len(rows)}
    if judge:
        plain = features_of(pairs, rows, FROZEN_LITE0, roots, store, progress)
        models = {
            "this model": ridge_fit(features, targets, pairs, rows, base, recipe),
            "ridge on frozen Lite0": ridge_fit(
                plain, targets, pairs, rows, base, replace(FROZEN_LITE0, shares=recipe.shares)
            ),
        }
        scores = score_left_out(models, targets, pairs, rows, base, progress)
        save_scores(scores, out / "source_scores.json")
        training |= {"left_out_sources": scores["mean"], "margin_over": scores["margin_over"]}
    weights = row_weights(pairs, rows, recipe.shares)
    start = starting_point(base, targets, weights)
    train_feature_head(
        features, targets, weights, start, recipe, roots, training, out / "regressor"
    )
    return training | {"regressor": str(out / "regressor")}


def score_left_out(
    models: dict[str, Fit],
    targets: np.ndarray,
    pairs: Pairs,
    rows: np.ndarray,
    base: np.ndarray,
    progress: Progress,
) -> dict[str, Any]:
    """The table over the sources of these pairs."""
    prompts = [pairs.rows[row].prompt for row in rows]
    judged = judged_sources(prompts, pairs.sources[rows], pairs.tiers[rows])
    groups = connected_groups(targets)
    return score_sources(
        models, targets, prompts, pairs.sources[rows], groups, judged, base, progress
    )


def ridge_fit(
    features: np.ndarray,
    targets: np.ndarray,
    pairs: Pairs,
    rows: np.ndarray,
    base: np.ndarray,
    recipe: FeatureHeadRecipe,
) -> Fit:
    """Fits on some of the rows and predicts others."""

    def fit(training: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        weights = row_weights(pairs, rows[training], recipe.shares)
        start = starting_point(base, targets[training], weights)
        head = fit_ridge_head(features[training], targets[training], weights, start, recipe.penalty)
        return lambda judged: head(features[judged])

    return fit

"""Whether several views of an image pay: scores of left-out sources with different views."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.data.groups import connected_groups
from prompt_ensemble.models.regressor.views import parse_views
from prompt_ensemble.training.feature_head.feature_head import (
    FeatureHeadRecipe,
    features_of,
    fit_head,
)
from prompt_ensemble.training.feature_head.feature_head_run import Material
from prompt_ensemble.training.feature_head.source_scores import Fit, judged_sources, score_sources

WAYS: Mapping[str, tuple[str, ...]] = {
    "plain": ("plain",),
    "mirrored, too": ("plain", "flip"),
    "five crops": ("five-crop",),
    "at 288 pixels, too": ("plain", "size-288"),
    "with ImageNet's norm, too": ("plain", "norm-imagenet"),
}
"""Views whose predictions are averaged; the head is the same, trained on plain views."""


def score_views(
    material: Material, recipe: FeatureHeadRecipe, ways: Mapping[str, Sequence[str]] = WAYS
) -> dict[str, Any]:
    """The table of left-out sources for each way; the first is compared with all others."""
    pairs, rows = material.pairs, material.rows
    prompts = [pairs.rows[row].prompt for row in rows]
    sources = pairs.sources[rows]
    judged = judged_sources(prompts, sources, pairs.tiers[rows])
    judged_rows = np.flatnonzero(np.isin(sources, judged))
    models = {
        name: _fit_function(material, recipe, judged_rows, views) for name, views in ways.items()
    }
    return score_sources(
        models, material.targets, prompts, sources, connected_groups(material.targets), judged,
        material.known.base, material.progress,
    )  # fmt: skip


def _fit_function(
    material: Material, recipe: FeatureHeadRecipe, judged_rows: np.ndarray, views: Sequence[str]
) -> Fit:
    """A function that fits to plain views of some rows and averages predictions over all views."""
    plain = material.features(recipe)
    features_of_views = [
        features_of(
            material.pairs, material.rows[judged_rows], recipe, material.roots, material.cache,
            material.progress, view,
        )
        for view in parse_views(views)
    ]  # fmt: skip

    def fit(training: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        head = fit_head(
            plain[training], material.targets[training], material.pairs,
            material.rows[training], recipe, material.known,
        )  # fmt: skip

        def predict(rows: np.ndarray) -> np.ndarray:
            places = np.searchsorted(judged_rows, rows)
            rows_of_views = [unit_rows(head(features[places])) for features in features_of_views]
            average: np.ndarray = np.mean(rows_of_views, axis=0)
            return average

        return predict

    return fit

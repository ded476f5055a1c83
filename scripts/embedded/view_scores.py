"""Whether more looks at an image pay: left-out sources under several ways to look."""

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
    fitted,
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
"""Looks whose rows are averaged; the head is the same, trained on plain looks."""


def score_views(
    material: Material, recipe: FeatureHeadRecipe, ways: Mapping[str, Sequence[str]] = WAYS
) -> dict[str, Any]:
    """The table of left-out sources for each way to look; the first is compared with all others."""
    pairs, rows = material.pairs, material.rows
    prompts = [pairs.rows[row].prompt for row in rows]
    sources = pairs.sources[rows]
    judged = judged_sources(prompts, sources, pairs.tiers[rows])
    asked = np.flatnonzero(np.isin(sources, judged))
    models = {name: fit_of_views(material, recipe, asked, views) for name, views in ways.items()}
    return score_sources(
        models, material.targets, prompts, sources, connected_groups(material.targets), judged,
        material.known.base, material.progress,
    )  # fmt: skip


def fit_of_views(
    material: Material, recipe: FeatureHeadRecipe, asked: np.ndarray, views: Sequence[str]
) -> Fit:
    """Fits on plain looks at some rows, and averages over the views what it predicts of others."""
    plain = material.features(recipe)
    looks = [
        features_of(
            material.pairs, material.rows[asked], recipe, material.roots, material.cache,
            material.progress, view,
        )
        for view in parse_views(views)
    ]  # fmt: skip

    def fit(training: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        head = fitted(
            plain[training], material.targets[training], material.pairs,
            material.rows[training], recipe, material.known,
        )  # fmt: skip

        def predict(rows: np.ndarray) -> np.ndarray:
            places = np.searchsorted(asked, rows)
            rows_of_views = [unit_rows(head(look[places])) for look in looks]
            average: np.ndarray = np.mean(rows_of_views, axis=0)
            return average

        return predict

    return fit

"""A head on features that never change: what two cores train in minutes.

Features are computed once and kept; the head is a ridge regression in closed form, linear or with a
kernel. Leave-one-source-out scores and their controls come from the same features.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.data.open_prompts import damping_of
from prompt_ensemble.data.pairs import Pairs
from prompt_ensemble.data.thinning import Thinning
from prompt_ensemble.images.preprocessing import HALF, Preprocessing
from prompt_ensemble.models.image_towers.eight_bits import multiplies_exactly
from prompt_ensemble.models.image_towers.image_tower import (
    TowerSpec,
    build_tower,
    load_backbones,
)
from prompt_ensemble.models.regressor.network import Regressor
from prompt_ensemble.models.regressor.regressor_folder import RegressorCard, save_regressor
from prompt_ensemble.models.regressor.views import View
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.feature_head.class_names import class_slope
from prompt_ensemble.training.feature_head.kernel_head import (
    KernelFit,
    fit_kernel_head,
    kernel_module,
)
from prompt_ensemble.training.feature_head.ridge_head import (
    RidgeHead,
    fit_ridge_head,
    ridge_module,
    source_offsets,
    starting_point,
)
from prompt_ensemble.training.tower_features import tower_features

_PLAIN_VIEW = View()
_SQUASHED = Preprocessing(224, 224, HALF, HALF)
_THREE_LITES = TowerSpec(
    "lite-features", "0+1+2", "efficientnet-lite0+efficientnet-lite1+efficientnet-lite2"
)


@dataclass(frozen=True)
class FeatureHeadRecipe:
    """Tower, shares of tiers, and how much a head may learn."""

    tower: TowerSpec = _THREE_LITES
    preprocessing: Preprocessing = _SQUASHED
    head: Literal["linear", "kernel"] = "linear"
    penalty: float = 16.0
    """In units of a feature's variance, or of the kernel's."""
    sharpness: float = 4.0
    """Of the kernel: how fast it falls with the angle."""
    source_share: float = 0.1
    """Variance of what a source's images have in common, over that of all features together."""
    class_pull: float = 0.19
    """How strongly the head is drawn to the names of the classes that the networks know."""
    damping: float = 0.2
    """Power of a direction's variance over open prompts that shortens predictions along it."""
    shares: Mapping[str, float] = field(
        default_factory=lambda: {"A": 1.0, "B": 0.1, "C": 0.1, "photo": 0.5}
    )
    thinning: Thinning = field(default_factory=Thinning)


def features_of(
    pairs: Pairs,
    rows: np.ndarray,
    recipe: FeatureHeadRecipe,
    roots: WeightRoots,
    cache: Path,
    progress: Progress = silent,
    view: View = _PLAIN_VIEW,
) -> np.ndarray:
    """``(len(rows), D)`` float32 features of some pairs, from the cache if they are there."""
    parts = [pairs.digest, rows.tolist(), asdict(recipe.tower), asdict(recipe.preprocessing)]
    parts += [asdict(view), multiplies_exactly()]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    file = cache / f"features-{key}.npy"
    if file.exists():
        cached: np.ndarray = np.load(file)
        return cached
    images = [pairs.rows[row].image for row in rows]
    features = tower_features(
        images,
        recipe.tower,
        recipe.preprocessing,
        view,
        roots,
        file.with_suffix(".store"),
        progress,
    )
    part = file.with_suffix(".part.npy")
    cache.mkdir(parents=True, exist_ok=True)
    np.save(part, features)
    part.replace(file)
    return features


def _row_weights(pairs: Pairs, rows: np.ndarray, shares: Mapping[str, float]) -> np.ndarray:
    """Share of a row's tier over the number of images of its prompt."""
    images = Counter(pairs.rows[row].prompt for row in rows)
    return np.array([shares[pairs.rows[row].tier] / images[pairs.rows[row].prompt] for row in rows])


@dataclass(frozen=True, eq=False)
class PriorKnowledge:
    """What is known before any pair is seen."""

    base: np.ndarray
    """The average open prompt, ``(384,)``."""
    classes: np.ndarray | None = None
    """How each class name differs from the average one, ``(1000, 384)``."""
    open_prompts: np.ndarray | None = None
    """Embeddings of prompts of all kinds; nothing is damped without them."""


def fit_head(
    features: np.ndarray,
    targets: np.ndarray,
    pairs: Pairs,
    rows: np.ndarray,
    recipe: FeatureHeadRecipe,
    known: PriorKnowledge,
) -> RidgeHead | KernelFit:
    """The head for these rows of the pairs; ``features`` and ``targets`` are theirs."""
    weights, sources = _row_weights(pairs, rows, recipe.shares), pairs.sources[rows].tolist()
    start = starting_point(known.base, targets, weights)
    damping = None
    if recipe.damping and known.open_prompts is not None:
        damping = damping_of(known.open_prompts, recipe.damping)
    if recipe.head == "kernel":
        return fit_kernel_head(
            features, targets, weights, start, recipe.penalty, recipe.sharpness,
            sources=sources, source_share=recipe.source_share, damping=damping,
        )  # fmt: skip
    offsets, pull = None, None
    if recipe.source_share:
        offsets = source_offsets(sources, recipe.source_share * features.shape[1])
    if recipe.class_pull and known.classes is not None:
        tower = build_tower(recipe.tower)
        pull = class_slope(tower, features.shape[1], known.classes, recipe.class_pull)
    return fit_ridge_head(
        features, targets, weights, start, recipe.penalty,
        offsets=offsets, pull=pull, damping=damping,
    )  # fmt: skip


def save_head(
    fitted: RidgeHead | KernelFit,
    recipe: FeatureHeadRecipe,
    roots: WeightRoots,
    training: Mapping[str, Any],
    out: Path,
) -> None:
    """Write the model; ``training`` goes into its description."""
    if isinstance(fitted, KernelFit):
        head, spec = kernel_module(fitted)
    else:
        head, spec = ridge_module(fitted)
    tower = build_tower(recipe.tower)
    load_backbones(tower, recipe.tower, roots)
    description = {"recipe": asdict(recipe), **training}
    card = RegressorCard(recipe.tower, spec, recipe.preprocessing, description)
    save_regressor(Regressor(tower, head), card, out)

"""A linear head on features that never change: what two cores train in minutes.

Features are computed once and kept; the head is a ridge regression in closed form. Leave-one-
source-out scores and their controls come from the same features.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from prompt_ensemble.errors import BadWeights
from prompt_ensemble.files import write_atomically
from prompt_ensemble.preprocessing import HALF, Preprocessing
from prompt_ensemble.progress import Progress, silent
from prompt_ensemble.regression.regressor import Regressor
from prompt_ensemble.regression.saved import RegressorCard, save_regressor
from prompt_ensemble.regression.towers import TowerSpec, build_tower, load_backbones
from prompt_ensemble.training.inputs import Pictures
from prompt_ensemble.training.pairs import Pairs
from prompt_ensemble.training.recipe import Recipe
from prompt_ensemble.training.ridge_head import as_module, fit_ridge_head
from prompt_ensemble.training.thinning import Thinning
from prompt_ensemble.weights import WeightRoots

PICTURES_PER_STEP = 32
LITE_0_AND_2 = TowerSpec("lite-features", "0+2", "efficientnet-lite0+efficientnet-lite2")


@dataclass(frozen=True)
class FeatureHeadRecipe:
    """Tower, penalty and shares."""

    tower: TowerSpec = LITE_0_AND_2
    size: int = 224
    penalty: float = 13.0
    shares: Mapping[str, float] = field(
        default_factory=lambda: {"A": 1.0, "B": 0.1, "C": 0.1, "photo": 0.5}
    )
    thinning: Thinning = field(default_factory=Thinning)

    @property
    def preprocessing(self) -> Preprocessing:
        """As at inference."""
        return Preprocessing(self.size, self.size, HALF, HALF)


def features_of(
    pairs: Pairs,
    rows: np.ndarray,
    recipe: FeatureHeadRecipe,
    roots: WeightRoots,
    cache: Path,
    progress: Progress = silent,
) -> np.ndarray:
    """``(len(rows), D)`` float32 features of some pairs, from the cache if they are there."""
    parts = [pairs.digest, rows.tolist(), asdict(recipe.tower), recipe.size]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    file = cache / f"features-{key}.npy"
    if file.exists():
        kept: np.ndarray = np.load(file)
        return kept
    images = [pairs.rows[row].image for row in rows]
    found = computed_features(images, recipe, roots, progress)
    part = file.with_suffix(".part.npy")
    cache.mkdir(parents=True, exist_ok=True)
    np.save(part, found)
    part.replace(file)
    return found


@torch.inference_mode()
def computed_features(
    images: list[Path], recipe: FeatureHeadRecipe, roots: WeightRoots, progress: Progress
) -> np.ndarray:
    """Features of image files, plain view."""
    if not recipe.tower.backbones:
        raise BadWeights(f"tower {recipe.tower.name!r} names no published weights to start from")
    tower = build_tower(recipe.tower)
    load_backbones(tower, recipe.tower, roots)
    tower = tower.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pictures = Pictures(images, Recipe(size=recipe.size))
    found = []
    with progress("computing features", len(images)) as advance:
        for start in range(0, len(images), PICTURES_PER_STEP):
            rows = np.arange(start, min(start + PICTURES_PER_STEP, len(images)))
            pixels = pictures.plain(rows).contiguous(memory_format=torch.channels_last)
            found.append(tower(pixels).numpy())
            advance(len(rows))
    return np.concatenate(found)


def row_weights(pairs: Pairs, rows: np.ndarray, shares: Mapping[str, float]) -> np.ndarray:
    """Share of a row's tier over the number of images of its prompt."""
    images = Counter(pairs.rows[row].prompt for row in rows)
    return np.array([shares[pairs.rows[row].tier] / images[pairs.rows[row].prompt] for row in rows])


def train_feature_head(
    features: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    base: np.ndarray,
    recipe: FeatureHeadRecipe,
    roots: WeightRoots,
    training: Mapping[str, Any],
    out: Path,
) -> None:
    """Fit on all rows given and save; ``training`` goes into the model's description."""
    head, spec = as_module(fit_ridge_head(features, targets, weights, base, recipe.penalty))
    tower = build_tower(recipe.tower)
    load_backbones(tower, recipe.tower, roots)
    description = {"recipe": asdict(recipe), **training}
    card = RegressorCard(recipe.tower, spec, recipe.preprocessing, description)
    save_regressor(Regressor(tower, head), card, out)


def save_scores(scores: Mapping[str, Any], file: Path) -> None:
    """The table of left-out sources."""
    write_atomically(file, json.dumps(scores, indent=1) + "\n")

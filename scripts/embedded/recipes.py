"""Recipes of the regressors that the package contains."""

from __future__ import annotations

from prompt_ensemble.models.image_towers.image_tower import describe_tower
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.feature_head.feature_head import FeatureHeadRecipe

CLIP = "embedded-clip"
LITES = "embedded-lites"


def embedded_recipes(roots: WeightRoots) -> dict[str, FeatureHeadRecipe]:
    """Recipes by the names of the folders in ``weights/``; the best comes first."""
    return {CLIP: _clip_recipe(roots), LITES: FeatureHeadRecipe()}


def _clip_recipe(roots: WeightRoots) -> FeatureHeadRecipe:
    """A kernel on CLIP's features, without class names: CLIP has no outputs for classes."""
    tower, pictures = describe_tower("onnx-clip", "ViT-B-16", "clip-vit-base-patch16", roots)
    return FeatureHeadRecipe(tower, pictures, head="kernel", penalty=2e-4, class_pull=0.0)

"""How the regressors that travel inside the package are made."""

from __future__ import annotations

from prompt_ensemble.models.image_towers.image_tower import describe_tower
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.feature_head.feature_head import FeatureHeadRecipe

CLIP = "embedded-clip"
LITES = "embedded-lites"


def embedded_recipes(roots: WeightRoots) -> dict[str, FeatureHeadRecipe]:
    """Recipes by the names of the folders in ``weights/``; the best comes first."""
    return {CLIP: clip_recipe(roots), LITES: FeatureHeadRecipe()}


def clip_recipe(roots: WeightRoots) -> FeatureHeadRecipe:
    """A kernel on what CLIP sees; class names are for networks that name classes."""
    tower, pictures = describe_tower("onnx-clip", "ViT-B-16", "clip-vit-base-patch16", roots)
    return FeatureHeadRecipe(tower, pictures, head="kernel", penalty=2e-4, class_pull=0.0)

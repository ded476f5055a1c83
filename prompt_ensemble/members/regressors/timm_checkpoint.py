"""A timm network with 384 outputs, saved as nothing but its state dict, as public kernels do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.models.checkpoints import load_strictly
from prompt_ensemble.models.image_towers.timm import create, recipe_of
from prompt_ensemble.models.regressor.network import Regressor
from prompt_ensemble.models.state_dicts import plain_state

if TYPE_CHECKING:
    from prompt_ensemble.members.regressors.regression_predictor import RegressionOptions


def load_bare(file: Path, architecture: str) -> Regressor:
    """The network, every tensor accounted for; its classifier is the head."""
    network: nn.Module = create(architecture, EMBEDDING_WIDTH)
    load_strictly(network, plain_state(file), file)
    return Regressor(network, nn.Identity()).eval()


def bare_recipe(architecture: str, options: RegressionOptions) -> Preprocessing:
    """How timm says that the network wants its pictures, but for what the options say."""
    import torch

    with torch.device("meta"):
        recipe = recipe_of(create(architecture))
    if options.image_size:
        shortest = recipe.resize_shortest
        if shortest is not None:
            shortest = round(shortest * options.image_size / min(recipe.height, recipe.width))
        side = options.image_size
        recipe = replace(recipe, height=side, width=side, resize_shortest=shortest)
    if options.resize == "squash":
        recipe = replace(recipe, resize_shortest=None)
    if options.interpolation:
        recipe = replace(recipe, interpolation=options.interpolation)
    return replace(
        recipe,
        mean=three(options.mean, "mean") or recipe.mean,
        std=three(options.std, "std") or recipe.std,
    )


def three(numbers: tuple[float, ...], name: str) -> tuple[float, float, float] | None:
    """One number a colour, or nothing said."""
    if not numbers:
        return None
    if len(numbers) != 3:
        raise BadConfig(
            f"{name} has {len(numbers)} numbers; expected one for each of three colours"
        )
    red, green, blue = numbers
    return red, green, blue

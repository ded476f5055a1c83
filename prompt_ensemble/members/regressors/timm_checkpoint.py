"""A timm network with 384 outputs, saved as nothing but its state dict, as public kernels do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.members.regressors.regression_options import RegressionOptions
from prompt_ensemble.models.checkpoints import load_strictly, plain_state
from prompt_ensemble.models.image_towers.timm_networks import create, recipe_of
from prompt_ensemble.models.regressor.network import Regressor
from prompt_ensemble.models.regressor.views import at_size


def load_timm_regressor(file: Path, architecture: str) -> Regressor:
    """The network with every tensor of the file in place; its classifier serves as the head."""
    network: nn.Module = create(architecture, EMBEDDING_WIDTH)
    load_strictly(network, plain_state(file), file)
    return Regressor(network, nn.Identity()).eval()


def timm_preprocessing(architecture: str, options: RegressionOptions) -> Preprocessing:
    """The preprocessing that timm records for the network, changed as the options ask."""
    with torch.device("meta"):
        recipe = recipe_of(create(architecture))
    if options.image_size:
        recipe = at_size(recipe, options.image_size)
    if options.resize == "squash":
        recipe = replace(recipe, resize_shortest=None)
    if options.interpolation:
        recipe = replace(recipe, interpolation=options.interpolation)
    return replace(
        recipe,
        mean=_colours(options.mean, "mean") or recipe.mean,
        std=_colours(options.std, "std") or recipe.std,
    )


def _colours(numbers: tuple[float, ...], name: str) -> tuple[float, float, float] | None:
    """Three numbers, one for each colour, or None where the option is not set."""
    if not numbers:
        return None
    if len(numbers) != 3:
        raise BadConfig(
            f"{name} has {len(numbers)} numbers; expected one for each of three colours"
        )
    red, green, blue = numbers
    return red, green, blue

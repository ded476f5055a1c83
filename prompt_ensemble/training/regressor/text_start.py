"""A head that starts from the tower's text side: a linear map learnt from texts, without images.

A tower that puts texts and pictures into one space has, for any prompt, a row close to that of
its pictures. Prompts alone then teach a map into sentence embeddings, no images needed. Pictures
lie elsewhere in that space than texts, so only the directions are taken over: the head's input is
scaled to length one and its answer to the mean picture is the mean prompt.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from prompt_ensemble.core.embeddings import Encode
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.data.pairs import Pairs
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.models.two_sided_towers.tower_source import find_tower, load_tower
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.feature_head.ridge_head import fit_ridge_head
from prompt_ensemble.training.regressor.inputs import Pictures
from prompt_ensemble.training.regressor.recipe import Recipe

_PENALTY = 0.1
_PICTURES_TO_PLACE = 256
"""Pictures whose mean row tells where pictures lie."""


def start_from_prompts(
    head: nn.Module,
    tower: nn.Module,
    pairs: Pairs,
    rows: np.ndarray,
    recipe: Recipe,
    encode: Encode,
    roots: WeightRoots,
) -> None:
    """Set the head from the prompts of the training rows, each prompt once."""
    prompts = sorted({pairs.prompts[row] for row in rows.tolist()})
    targets = encode(prompts)
    some = Pictures([pairs.rows[row].image for row in rows[:_PICTURES_TO_PLACE]], recipe)
    with torch.inference_mode():
        pictures = tower.eval()(some.plain(np.arange(len(some.images)))).numpy()
    texts = text_rows(recipe, prompts, roots)
    start_from_text(head, texts, targets, pictures, targets.mean(axis=0))


def text_rows(recipe: Recipe, prompts: Sequence[str], roots: WeightRoots) -> np.ndarray:
    """The prompts as the tower's text side reads them, ``(N, D)`` unit rows."""
    if recipe.library not in ("open_clip", "transformers") or not recipe.backbone:
        raise BadConfig(
            f"head_from_text needs a tower with a text side, which {recipe.library!r} has not; "
            "use a CLIP of open_clip or transformers as the backbone"
        )
    source = find_tower(recipe.backbone, recipe.tower, roots)
    tower = load_tower(source, choose_placement("cpu"), roots)
    return tower.encode_texts(prompts).numpy()


def start_from_text(
    head: nn.Module,
    texts: np.ndarray,
    targets: np.ndarray,
    pictures: np.ndarray,
    mean_prompt: np.ndarray,
) -> None:
    """Set a linear head from text rows and their embeddings; ``pictures`` are tower rows."""
    if not isinstance(head, nn.Linear):
        raise BadConfig("head_from_text sets a matrix; use it with head = 'linear'")
    shares = np.full(len(texts), 1 / len(texts))
    slope = fit_ridge_head(texts, targets, shares, mean_prompt, _PENALTY).slope
    slope = slope / np.linalg.norm(pictures, axis=1).mean()
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(slope.T.copy()))
        head.bias.copy_(torch.from_numpy(mean_prompt - pictures.mean(axis=0) @ slope))

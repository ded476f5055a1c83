"""Losses of a batch of predicted embeddings against the embeddings of their prompts."""

from __future__ import annotations

import torch
from torch.nn.functional import cosine_similarity, cross_entropy, normalize

from prompt_ensemble.training.regressor.recipe import Recipe


def loss_of(predicted: torch.Tensor, targets: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """The recipe's mixture, a scalar; ``predicted`` and ``targets`` are ``(B, 384)``."""
    predicted = predicted.float()
    total = predicted.new_zeros(())
    if recipe.cosine:
        total = total + recipe.cosine * cosine_loss(predicted, targets)
    if recipe.contrastive:
        total = total + recipe.contrastive * contrastive_loss(
            predicted, targets, recipe.temperature
        )
    if recipe.squared:
        total = total + recipe.squared * (predicted - targets).square().sum(dim=1).mean()
    return total


def cosine_loss(predicted: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """One minus the mean cosine: what the competition scores."""
    return 1 - cosine_similarity(predicted, targets).mean()


def contrastive_loss(
    predicted: torch.Tensor, targets: torch.Tensor, temperature: float
) -> torch.Tensor:
    """InfoNCE both ways: each image picks its prompt among the batch's, each prompt its image.

    Prompts of a batch are distinct, so no other row is ever also right.
    """
    similarities = normalize(predicted) @ normalize(targets).T / temperature
    matches = torch.arange(len(similarities), device=similarities.device)
    return (cross_entropy(similarities, matches) + cross_entropy(similarities.T, matches)) / 2

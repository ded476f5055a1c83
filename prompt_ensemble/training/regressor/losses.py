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
    """InfoNCE both ways: among the batch's prompts, each image finds its own.

    Prompts of a batch are distinct, so no other row is ever also right.
    """
    likeness = normalize(predicted) @ normalize(targets).T / temperature
    own = torch.arange(len(likeness), device=likeness.device)
    return (cross_entropy(likeness, own) + cross_entropy(likeness.T, own)) / 2

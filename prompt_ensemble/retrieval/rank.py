"""Ranking: one matrix product and top-k for a batch of images and a whole bank."""

from __future__ import annotations

import torch

MEMORY_BUDGET = 256 * 2**20
"""Bytes of similarities held at once; more images or phrases are done in parts."""


def top_phrases(
    images: torch.Tensor, phrases: torch.Tensor, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and numbers of the ``count`` best phrases of each image, ``(N, count)`` both.

    Rows on both sides have length one. Of equal cosines the phrase that stands first wins.
    """
    count = min(count, len(phrases))
    rows = max(1, MEMORY_BUDGET // (4 * len(phrases)))
    ready = images.to(phrases.dtype)
    parts = [best_of((part @ phrases.T).float(), count) for part in ready.split(rows)]
    cosines, numbers = zip(*parts, strict=True)
    return torch.cat(cosines), torch.cat(numbers)


def best_of(similarities: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Top-k with ties in list order, which ``topk`` does not promise."""
    cosines, numbers = similarities.topk(count)
    threshold = cosines[:, -1:]
    if (similarities >= threshold).sum() > cosines.numel():  # a tie across the border
        cosines, numbers = similarities.sort(dim=1, descending=True, stable=True)
        return cosines[:, :count], numbers[:, :count]
    order = numbers.argsort(dim=1)
    cosines, numbers = cosines.gather(1, order), numbers.gather(1, order)
    order = cosines.argsort(dim=1, descending=True, stable=True)
    return cosines.gather(1, order), numbers.gather(1, order)

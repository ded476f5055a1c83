"""Ranking by cosine that gives the same order on every machine.

Matrix libraries add in another order for other shapes and on other processors, so equal rows may
get cosines that differ in their last bits. So a fast product only chooses candidates; their
cosines are computed again in a way that gives the same number everywhere, and decide the order.
"""

from __future__ import annotations

import torch

MEMORY_BUDGET = 256 * 2**20
"""Bytes of similarities held at once; more images or phrases are ranked in parts."""
_GRID = 2.0**50
"""Products are rounded to multiples of one over this, and added as integers."""
_SLACK = 1e-5
"""Largest error that float32 sums make in a cosine of unit rows."""


def top_phrases(
    images: torch.Tensor, phrases: torch.Tensor, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines, in float64, and numbers of the ``count`` best phrases of each image.

    Rows on both sides have length one. Of equal cosines the earlier phrase wins.
    """
    count = min(count, len(phrases))
    rows = max(1, MEMORY_BUDGET // (4 * len(phrases)))
    ready = images.to(phrases.dtype)
    parts = [_best_phrases(part, phrases, count) for part in ready.split(rows)]
    cosines, numbers = zip(*parts, strict=True)
    return torch.cat(cosines), torch.cat(numbers)


def _best_phrases(
    images: torch.Tensor, phrases: torch.Tensor, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """``top_phrases`` for images whose similarities fit in memory."""
    numbers = candidates(images @ phrases.T, count)
    cosines = _exact_cosines(images, phrases, numbers)
    cosines, places = best_of(cosines, count)
    return cosines, numbers.gather(1, places)


def candidates(similarities: torch.Tensor, count: int) -> torch.Tensor:
    """Numbers, ascending, of all phrases that may be among the ``count`` best by exact cosines."""
    border = similarities.topk(count).values[:, -1:].float()
    slack = _SLACK + 2 * torch.finfo(similarities.dtype).eps * border.abs()
    possible = int((similarities.float() >= border - slack).sum(dim=1).max())
    return similarities.topk(max(count, possible)).indices.sort(dim=1).values


def _exact_cosines(
    images: torch.Tensor, phrases: torch.Tensor, numbers: torch.Tensor
) -> torch.Tensor:
    """Cosines ``(N, k)`` of each image with its own ``k`` phrases."""
    rows = max(1, MEMORY_BUDGET // (16 * numbers.shape[1] * phrases.shape[1]))
    pairs = zip(images.split(rows), numbers.split(rows), strict=True)
    return torch.cat([exact_products(image[:, None], phrases[chosen]) for image, chosen in pairs])


def exact_products(these: torch.Tensor, those: torch.Tensor) -> torch.Tensor:
    """Inner products along the last dimension, in float64, the same on every machine.

    A product of two float32 is exact in float64. Rounded to a fixed grid it is an integer, and
    integers give the same sum in whatever order they are added.
    """
    steps = (these.double() * those.double() * _GRID).round().long()
    return steps.sum(dim=-1).double() / _GRID


def best_of(similarities: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The best of exact similarities and their places; of equal ones the earlier wins."""
    ordered, places = similarities.sort(dim=1, descending=True, stable=True)
    return ordered[:, :count], places[:, :count]

"""Kernel ridge regression on the features of a tower made for comparing images, such as CLIP's.

The kernel is ``k(x, y) = exp(sharpness * (cosine(x, y) - 1))``. A prediction bends where prompts of
a kind lie together, which a linear map on so few features cannot (docs/experiments.md).

The fit has an intercept that is not penalised. As in linear ridge regression that means centring:
the targets by their weighted mean, and the features by theirs, which for features known only
through a kernel is, with the rows' shares ``s`` and ``m = K s``,

    Kc = K - m 1' - 1 m' + s'm

With ``S = diag(s)`` the strengths of the anchors are ``a = S^½ (S^½ Kc S^½ + p)⁻¹ S^½ (Y - s'Y)``.
At inference the kernel is not centred, so what centring would subtract is moved into the anchors'
rows and the intercept. What the images of a source have in common enters ``Kc`` as one more kernel
while fitting, 1 between images of a source and 0 elsewhere, and is left out of predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.models.regressor.head import HeadSpec, KernelHead
from prompt_ensemble.training.feature_head.ridge_head import solve_penalised


@dataclass(frozen=True, eq=False)
class KernelFit:
    """Anchors ``(A, D)`` unit rows, what each adds ``(A, 384)``, and the intercept ``(384,)``."""

    anchors: np.ndarray
    rows: np.ndarray
    base: np.ndarray
    sharpness: float

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Predictions ``(N, 384)``, not yet of length one."""
        votes = _kernel(unit_rows(features), self.anchors, self.sharpness)
        predicted: np.ndarray = votes @ self.rows + self.base
        return predicted


def _kernel(rows: np.ndarray, others: np.ndarray, sharpness: float) -> np.ndarray:
    """The kernel between unit rows, ``(N, M)`` float64."""
    cosines = (rows.astype(np.float32) @ others.astype(np.float32).T).astype(np.float64)
    votes: np.ndarray = np.exp(sharpness * (cosines - 1))
    return votes


def fit_kernel_head(
    features: np.ndarray,
    targets: np.ndarray,
    row_weights: np.ndarray,
    base: np.ndarray,
    penalty: float,
    sharpness: float,
    *,
    sources: Sequence[str] = (),
    source_share: float = 0.0,
    damping: np.ndarray | None = None,
) -> KernelFit:
    """Penalised least squares with the kernel.

    ``base`` is the mean prompt that predictions start from; penalty and the ``source_share`` that a
    source's images have in common count in units of the kernel's variance over the images.
    ``damping`` ``(384, 384)`` is a last map of all predicted differences.
    """
    shares = row_weights.astype(np.float64) / row_weights.sum()
    anchors = unit_rows(features)
    kernel = _kernel(anchors, anchors, sharpness)
    mean = kernel @ shares
    centre = float(shares @ mean)
    kernel -= mean[:, None] + mean[None] - centre
    variance = float(np.diagonal(kernel).mean())
    if source_share:
        number = np.unique(np.array(sources), return_inverse=True)[1]
        kernel += source_share * variance * (number[:, None] == number[None])
    roots = np.sqrt(shares)
    kernel *= roots[:, None] * roots[None]
    answers = (targets - shares @ targets) * roots[:, None]
    solution = solve_penalised(
        torch.from_numpy(kernel), torch.from_numpy(answers), penalty * variance
    )
    strengths = solution.numpy() * roots[:, None]
    total = strengths.sum(axis=0)
    rows = strengths - np.outer(shares, total)
    intercept = centre * total - mean @ strengths
    if damping is not None:
        rows, intercept = rows @ damping, intercept @ damping
    return KernelFit(anchors, rows, np.asarray(base, np.float64) + intercept, sharpness)


def kernel_module(fit: KernelFit) -> tuple[nn.Module, HeadSpec]:
    """The same predictions as a head of a regressor."""
    count, inputs = fit.anchors.shape
    head = KernelHead(inputs, count, fit.sharpness)
    with torch.no_grad():
        head.anchors.copy_(torch.from_numpy(fit.anchors))
        head.rows.copy_(torch.from_numpy(fit.rows))
        head.base.copy_(torch.from_numpy(fit.base))
    return head.eval(), HeadSpec("kernel", inputs, hidden=count, sharpness=fit.sharpness)

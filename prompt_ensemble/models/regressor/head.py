"""Heads map a tower's features to the 384 numbers of a sentence embedding."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH
from prompt_ensemble.core.errors import BadWeights


@dataclass(frozen=True)
class HeadSpec:
    """Kind and size of a head."""

    kind: str
    inputs: int
    hidden: int = 0
    dropout: float = 0.0
    sharpness: float = 0.0
    """Of a ``kernel`` head, whose ``hidden`` is the number of its anchors."""


class KernelHead(nn.Module):
    """A smooth vote of anchors: ``base + sum_a k(x, a) rows_a``, ``k = exp(sharpness (cos - 1))``.

    The head is a ridge regression with strengths ``s_a`` on the centred kernel

        ``k(x, a) - m(x) - m(a) + c``,  ``m(x) = sum_b w_b k(x, b)``,  ``c = sum_b w_b m(b)``,

    where ``w`` are the weights of the training images. Centring makes the weighted mean of the
    predictions the mean prompt, so the penalty pulls towards that prompt and not towards zero.
    It costs nothing here, as it is linear in ``k(x, .)``: it is folded into
    ``rows_a = s_a - w_a sum_b s_b`` and ``base = mean prompt + c sum_b s_b - sum_b m(b) s_b``.
    """

    def __init__(self, inputs: int, anchors: int, sharpness: float) -> None:
        super().__init__()
        self.sharpness = sharpness
        self.anchors = nn.Parameter(torch.zeros(anchors, inputs))
        self.rows = nn.Parameter(torch.zeros(anchors, EMBEDDING_WIDTH))
        self.base = nn.Parameter(torch.zeros(EMBEDDING_WIDTH))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """``(B, 384)``, always in float32, since a vote is a sum of many small parts."""
        with torch.autocast(features.device.type, enabled=False):
            cosines = nn.functional.normalize(features.float(), dim=1) @ self.anchors.float().T
            votes = torch.exp(self.sharpness * (cosines - 1))
            return votes @ self.rows.float() + self.base.float()


def build_head(spec: HeadSpec) -> nn.Module:
    """A head with random weights, or with zeros for a kernel head.

    ``linear`` is one matrix; ``large`` is the competition winner's Linear → BatchNorm → ReLU →
    Linear; ``mlp`` is a normalised and regularised network for few training prompts; ``kernel`` is
    a vote of anchors.
    """
    match spec.kind:
        case "linear":
            return nn.Linear(spec.inputs, EMBEDDING_WIDTH)
        case "large":
            return nn.Sequential(
                nn.Linear(spec.inputs, spec.hidden),
                nn.BatchNorm1d(spec.hidden),
                nn.ReLU(),
                nn.Linear(spec.hidden, EMBEDDING_WIDTH),
            )
        case "mlp":
            return nn.Sequential(
                nn.LayerNorm(spec.inputs),
                nn.Dropout(spec.dropout),
                nn.Linear(spec.inputs, spec.hidden),
                nn.GELU(),
                nn.Dropout(spec.dropout),
                nn.Linear(spec.hidden, EMBEDDING_WIDTH),
            )
        case "kernel":
            return KernelHead(spec.inputs, spec.hidden, spec.sharpness)
    raise BadWeights(f"head kind {spec.kind!r} is unknown; known: linear, large, mlp, kernel")

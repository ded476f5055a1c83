"""Heads: from a tower's features to the 384 numbers of a sentence embedding."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH
from prompt_ensemble.core.errors import BadWeights


@dataclass(frozen=True)
class HeadSpec:
    """Shape of a head."""

    kind: str
    inputs: int
    hidden: int = 0
    dropout: float = 0.0
    sharpness: float = 0.0
    """Of a ``kernel`` head, whose ``hidden`` is its number of anchors."""


class KernelHead(nn.Module):
    """Each anchor has a row to add, the more the smaller its angle to the features.

    What an anchor adds fades as ``exp(sharpness * (cosine - 1))``: a smooth neighbour vote.
    """

    def __init__(self, inputs: int, anchors: int, sharpness: float) -> None:
        super().__init__()
        self.sharpness = sharpness
        self.anchors = nn.Parameter(torch.zeros(anchors, inputs))
        self.rows = nn.Parameter(torch.zeros(anchors, EMBEDDING_WIDTH))
        self.base = nn.Parameter(torch.zeros(EMBEDDING_WIDTH))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """``(B, 384)``, in float32 whatever the rest runs in: votes are sums of small parts."""
        with torch.autocast(features.device.type, enabled=False):
            cosines = nn.functional.normalize(features.float(), dim=1) @ self.anchors.float().T
            votes = torch.exp(self.sharpness * (cosines - 1))
            return votes @ self.rows.float() + self.base.float()


def build_head(spec: HeadSpec) -> nn.Module:
    """A head with random weights.

    ``linear`` is one matrix; ``large`` is the competition winner's Linear → BatchNorm → ReLU →
    Linear; ``mlp`` is a normalised, regularised one for few training prompts; ``kernel`` votes.
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

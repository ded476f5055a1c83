"""Heads: from a tower's features to the 384 numbers of a sentence embedding."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from prompt_ensemble.embeddings import EMBEDDING_WIDTH
from prompt_ensemble.errors import BadWeights


@dataclass(frozen=True)
class HeadSpec:
    """Shape of a head."""

    kind: str
    inputs: int
    hidden: int = 0
    dropout: float = 0.0


def build_head(spec: HeadSpec) -> nn.Module:
    """A head with random weights.

    ``linear`` is one matrix; ``large`` is the competition winner's Linear → BatchNorm → ReLU →
    Linear; ``mlp`` is a normalised, regularised one for few training prompts.
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
    raise BadWeights(f"head kind {spec.kind!r} is unknown; known: linear, large, mlp")

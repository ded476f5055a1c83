"""The recipe of a prompt writer: every choice that its training depends on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WriterRecipe:
    """Defaults suit a GPU and some 100,000 prompts; steps cost a CPU a second or more each."""

    vocabulary: int = 8000
    width: int = 288
    layers: int = 6
    heads: int = 6
    rows: int = 8
    longest: int = 64
    dropout: float = 0.1

    variants: int = 1
    """Prompts made of each by leaving parts out."""
    least_error: float = 0.3
    most_error: float = 1.1
    """Size of the disturbance, relative to the errors that the regressors made."""
    undisturbed: float = 0.1
    """Share of examples with their true embedding."""

    steps: int = 12000
    batch_size: int = 1024
    rate: float = 1e-3
    warm_up: float = 0.03
    weight_decay: float = 0.05
    smoothing: float = 0.05
    average: float = 0.999
    """Decay of the running average of the weights, which is what is saved."""
    precision: str = "no"
    """``no``, ``bf16`` or ``fp16``, as accelerate names them."""
    seed: int = 0

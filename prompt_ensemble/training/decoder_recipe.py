"""What the recipes of a prompt writer and of a captioner have in common."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DecoderRecipe:
    """The decoder, and how it learns."""

    vocabulary: int = 8000
    width: int = 288
    layers: int = 6
    heads: int = 6
    rows: int = 8
    """Memory rows that the decoder attends to."""
    longest: int = 64
    """Word pieces of a text, start and end included."""
    dropout: float = 0.1

    steps: int = 12000
    batch_size: int = 1024
    rate: float = 1e-3
    warm_up: float = 0.03
    weight_decay: float = 0.05
    smoothing: float = 0.05
    average: float = 0.999
    """Decay of the running average of the weights, which is what is saved."""
    self_critical_steps: int = 0
    """Further steps on texts drawn and rewarded; the steps before them learn from true ones."""
    self_critical_rate: float = 1e-4
    self_critical_batch: int = 256
    precision: str = "no"
    """``no``, ``bf16`` or ``fp16``, as accelerate names them."""
    seed: int = 0

"""What changes over the steps of a training: the learning rate, and the average of the weights."""

from __future__ import annotations

import math
from collections.abc import Collection

import torch
from torch import nn


def rate_factor(step: int, steps: int, warm_up: float) -> float:
    """Fraction of the full rate at ``step`` of ``steps``: linear warm-up, then half a cosine."""
    warming = max(1, round(steps * warm_up))
    if step < warming:
        return (step + 1) / warming
    progress = (step - warming) / max(1, steps - warming)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


class WeightAverage:
    """Exponential moving average of a module's parameters and buffers: steadier than the last."""

    def __init__(self, module: nn.Module, decay: float, left_out: Collection[str] = ()) -> None:
        """Tensors that are ``left_out`` do not change."""
        self.decay = decay
        self.state = {
            name: tensor.detach().clone()
            for name, tensor in module.state_dict().items()
            if name not in left_out
        }

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Move towards the module; early on the average follows fast."""
        decay = min(self.decay, (1 + step) / (10 + step))
        current = module.state_dict()
        for name, mean in self.state.items():
            tensor = current[name]
            if mean.is_floating_point():
                mean.lerp_(tensor.detach(), 1 - decay)
            else:
                mean.copy_(tensor)

"""A captioner's memory as a prompt writer would read it, before any step is taken.

A writer reads a text's direction from the mean prompt, ``d = (t - m) / |t - m|``. A ridge
regression finds that direction in the tower's features x, and the two linear maps are one: so
training begins with a captioner that writes what the features tell of the prompt's embedding.

    d ≈ (x - x̄) W + d̄,   W = (XᵀX + λI)⁻¹ XᵀD,   memory = M s ((x - x̄) W + d̄) / r + b

with the writer's ``M d s + b``, and r the mean length of what is found, which ridge makes short.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import normalize

from prompt_ensemble.models.text_decoder.captioner import Captioner
from prompt_ensemble.models.text_decoder.writer import DIRECTION_SCALE, Writer

_PENALTY = 0.8
"""Of the mean variance of a feature."""


@torch.no_grad()
def start_memory(
    captioner: Captioner,
    writer: Writer,
    features: np.ndarray,
    truth: np.ndarray,
    chances: np.ndarray,
) -> None:
    """Set the weights that make memory of ``(N, F)`` pooled features of texts with these rows."""
    shares = torch.from_numpy(chances / chances.sum()).double()[:, None]
    seen = captioner.norm(torch.from_numpy(features).float()).double()
    wanted = normalize(torch.from_numpy(truth).float() - writer.centre, dim=1).double()
    seen_mean, wanted_mean = (shares * seen).sum(0), (shares * wanted).sum(0)
    varied = seen - seen_mean
    variance = varied.T @ (shares * varied)
    penalty = _PENALTY * variance.trace() / len(variance) * torch.eye(len(variance)).double()
    found = torch.linalg.solve(variance + penalty, varied.T @ (shares * (wanted - wanted_mean)))
    offset = wanted_mean - seen_mean @ found
    length = (shares[:, 0] * (seen @ found + offset).norm(dim=1)).sum()
    scaled = writer.memory.weight.double() * (DIRECTION_SCALE / length)
    captioner.memory.weight.copy_((scaled @ found.T).float())
    captioner.memory.bias.copy_((scaled @ offset).float() + writer.memory.bias)

"""The score on held-out pairs while training goes on: mean cosine, prompts weighted alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.training.regressor.inputs import Inputs

_ROWS_PER_STEP = 64


@dataclass(frozen=True, eq=False)
class Validation:
    """Held-out rows."""

    inputs: Inputs
    rows: np.ndarray
    targets: np.ndarray
    """Of all pairs, ``(N, 384)`` unit rows."""
    prompts: Sequence[str]
    """Of all pairs."""

    def score(
        self, model: nn.Module, weights: Mapping[str, torch.Tensor], device: torch.device
    ) -> float:
        """Mean cosine with these weights, which are put into the model for the time being."""
        kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        model.load_state_dict(weights)
        predicted = _predict(model, self.inputs, self.rows, device)
        model.load_state_dict(kept)
        cosines = np.einsum("ij,ij->i", predicted, self.targets[self.rows])
        return float(np.average(cosines, weights=self._row_weights()))

    def _row_weights(self) -> np.ndarray:
        """One over the images of a row's prompt."""
        prompts = [self.prompts[row] for row in self.rows]
        images = Counter(prompts)
        return np.array([1 / images[prompt] for prompt in prompts])


@torch.inference_mode()
def _predict(
    model: nn.Module, inputs: Inputs, rows: np.ndarray, device: torch.device
) -> np.ndarray:
    """Unit rows ``(N, 384)`` from plain inputs."""
    model.eval()
    steps = [rows[start : start + _ROWS_PER_STEP] for start in range(0, len(rows), _ROWS_PER_STEP)]
    predicted = []
    for step in steps:
        batch = inputs.plain(step).to(device)
        layout = torch.channels_last if batch.ndim == 4 else torch.contiguous_format
        predicted.append(model(batch.contiguous(memory_format=layout)).float().cpu().numpy())
    return unit_rows(np.concatenate(predicted))

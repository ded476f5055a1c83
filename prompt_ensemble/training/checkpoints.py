"""Where an interrupted training goes on: weights, their average, the optimizer, the step."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.models.checkpoints import load_state

_CHECKPOINT = "checkpoint.pt"


def write_checkpoint(
    folder: Path,
    recipe: Any,
    step: int,
    model: Mapping[str, torch.Tensor],
    average: Mapping[str, torch.Tensor],
    optimizer: torch.optim.Optimizer,
) -> None:
    """One file, whole or not at all; tensors, numbers and text only. A recipe is a dataclass.

    ``model`` and ``average`` are the tensors that learn, or all of them.
    """
    state = {
        "recipe": json.dumps(asdict(recipe)),
        "step": step,
        "model": dict(model),
        "average": dict(average),
        "optimizer": optimizer.state_dict(),
    }
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_atomically(folder / _CHECKPOINT, buffer.getvalue())


def read_checkpoint(folder: Path, recipe: Any) -> dict[str, Any] | None:
    """What the folder's checkpoint holds; None if there is none."""
    file = folder / _CHECKPOINT
    if not file.exists():
        return None
    state: dict[str, Any] = load_state(file)
    if json.loads(str(state["recipe"])) != json.loads(json.dumps(asdict(recipe))):
        raise BadConfig(
            f"{file} belongs to another recipe; give a new run folder (--out), "
            "or the recipe that the run was started with"
        )
    return state

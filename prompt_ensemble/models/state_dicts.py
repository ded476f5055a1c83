"""State dicts as trainers leave them: nested in a checkpoint, named after their wrappers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.models.checkpoints import load_state

FILES = ("*.safetensors", "*.pth", "*.pt", "*.bin")
NESTS = ("state_dict", "model_state_dict", "model")
"""Where a checkpoint keeps the state dict beside an optimizer's and the epoch."""
WRAPPERS = ("module.", "model.", "_orig_mod.")
"""What DataParallel, a trainer's class and torch.compile put before every name."""


def state_file(path: Path) -> Path:
    """The file itself, or the only one of its kind in a folder."""
    if path.is_file():
        return path
    found = sorted(file for pattern in FILES for file in path.glob(pattern))
    if len(found) == 1:
        return found[0]
    there = ", ".join(file.name for file in found) or "none"
    raise BadWeights(
        f"{path} must hold exactly one state dict ({', '.join(FILES)}), but holds {there}; "
        "name the file itself"
    )


def plain_state(file: Path) -> dict[str, torch.Tensor]:
    """The model's own names and tensors."""
    state: Mapping[str, Any] = load_state(file)
    while nest := next((n for n in NESTS if isinstance(state.get(n), Mapping)), None):
        state = state[nest]
    strange = [name for name, tensor in state.items() if not isinstance(tensor, torch.Tensor)]
    if strange or not state:
        raise BadWeights(
            f"{file} is no state dict: it holds {', '.join(strange[:3]) or 'nothing'}; "
            "save the model's state_dict() alone"
        )
    return without_wrappers(state)


def without_wrappers(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Names as the bare model has them; a wrapper's prefix stands before every one."""
    for prefix in WRAPPERS:
        if all(name.startswith(prefix) for name in state):
            return without_wrappers({name[len(prefix) :]: t for name, t in state.items()})
    return dict(state)

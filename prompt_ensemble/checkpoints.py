"""What model files hold, read without running any of it; every fault is one clear line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_ensemble.errors import BadWeights, MissingWeights

if TYPE_CHECKING:
    import torch


LARGEST_WEIGHT = 1e6
"""No trained network has weights as large; a flipped bit in an exponent makes larger ones."""
MASKS = ("attn_mask", "bias_mask")
"""Buffers that hold minus infinity on purpose."""


def read_json(path: Path) -> dict[str, object]:
    """A JSON object from a weight folder, or one line saying what is wrong with it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadWeights(f"{path} is missing; copy the whole model folder") from error
    except (ValueError, OSError, RecursionError) as error:
        raise BadWeights(f"{path} is not readable JSON ({error}); copy the file again") from error
    if not isinstance(content, dict):
        raise BadWeights(f"{path} must hold a JSON object, not a {type(content).__name__}")
    return content


def load_state(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a ``.safetensors`` file or a torch checkpoint, on the CPU, running no code."""
    import pickle

    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return finite(load_file(path), path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise MissingWeights(f"{path} is not there; copy the whole model folder") from error
    except pickle.UnpicklingError as error:
        raise BadWeights(
            f"{path} is damaged or holds more than tensors; unpickling it could run code, which is "
            "refused; save its plain state dict with safetensors.torch.save_file where you trust it"
        ) from error
    except (SafetensorError, RuntimeError, EOFError, ValueError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise BadWeights(f"{path} is damaged or no checkpoint ({reason}); copy it again") from error
    if not isinstance(state, dict):
        raise BadWeights(f"{path} holds a {type(state).__name__}; expected a state dict of tensors")
    return finite(state, path)


def finite(state: dict[str, torch.Tensor], path: Path) -> dict[str, torch.Tensor]:
    """The tensors, unless one holds what no trained network does."""
    import torch

    for name, tensor in state.items():
        if isinstance(tensor, dict):  # a training run's checkpoint: state dicts by their names
            finite(tensor, path)
        if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
            continue
        largest = float(tensor.abs().max()) if tensor.numel() else 0.0
        if not largest <= LARGEST_WEIGHT and not name.endswith(MASKS):
            raise BadWeights(
                f"{path} is damaged: {name} holds {largest:g}; expected finite numbers of at most "
                f"{LARGEST_WEIGHT:g}; copy the file again"
            )
    return state


def load_strictly(module: torch.nn.Module, state: dict[str, torch.Tensor], path: Path) -> None:
    """Put ``state`` into ``module``, all keys and shapes matching, or say which do not."""
    expected = module.state_dict()
    missing = sorted(expected.keys() - state.keys())
    unexpected = sorted(state.keys() - expected.keys())
    reshaped = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(expected[key].shape)}"
        for key in sorted(expected.keys() & state.keys())
        if state[key].shape != expected[key].shape
    ]
    faults = [
        f"{len(keys)} {what} ({', '.join(keys[:3])}{' …' if len(keys) > 3 else ''})"
        for what, keys in (("missing", missing), ("unexpected", unexpected), ("reshaped", reshaped))
        if keys
    ]
    if faults:
        raise BadWeights(
            f"{path} does not fit {type(module).__name__}: {'; '.join(faults)}; "
            "use the checkpoint that belongs to this model"
        )
    module.load_state_dict(state)

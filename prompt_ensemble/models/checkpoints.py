"""Model files read without running any of them; every fault is one clear line."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from prompt_ensemble.core.errors import BadWeights, MissingWeights
from prompt_ensemble.core.typed_tables import from_table

if TYPE_CHECKING:
    import torch

_MOST_NUMBERS_A_BYTE = 2
"""No format stores more: the smallest weights have four bits."""
_SPARE_NUMBERS = 10_000_000
"""Numbers that may be absent without harm to the memory; later they are named by tensor."""
_LARGEST_JSON = 256 * 2**20
_LARGEST_WEIGHT = 1e6
"""No trained network has weights as large; a flipped bit in an exponent makes larger ones."""
_MASKS = ("attn_mask", "bias_mask")
"""Buffers that hold minus infinity on purpose."""
_STATE_FILES = ("*.safetensors", "*.pth", "*.pt", "*.bin")
_NESTS = ("state_dict", "model_state_dict", "model")
"""Where a training checkpoint keeps the state dict, next to the optimizer's and the epoch."""
_WRAPPERS = ("module.", "model.", "_orig_mod.")
"""Prefixes that DataParallel, a trainer's class and torch.compile give every name."""


Description = TypeVar("Description")


def read_description(kind: type[Description], file: Path, form: int) -> Description:
    """The dataclass in a description that we wrote ourselves, with every key checked."""
    table = read_json(file)
    if table.get("format") != form:
        raise BadWeights(
            f"{file} has format {table.get('format')!r}, expected {form}; "
            "it was written by another version of prompt-ensemble"
        )
    return from_table(kind, table, str(file), BadWeights)


def read_json(path: Path) -> dict[str, object]:
    """The JSON object in a file of a weight folder."""
    content = _parse(path)
    if not isinstance(content, dict):
        raise BadWeights(f"{path} must hold a JSON object, not a {type(content).__name__}")
    return content


def read_json_list(path: Path) -> list[object]:
    """The JSON list in a file of a weight folder."""
    content = _parse(path)
    if not isinstance(content, list):
        raise BadWeights(f"{path} must hold a JSON list, not a {type(content).__name__}")
    return content


def _parse(path: Path) -> object:
    """The content of a JSON file, unless it is too large to be one."""
    try:
        if (size := path.stat().st_size) > _LARGEST_JSON:
            raise ValueError(f"{size} bytes, more than the {_LARGEST_JSON} allowed")
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadWeights(f"{path} is missing; copy the whole model folder") from error
    except (ValueError, OSError, RecursionError) as error:
        raise BadWeights(f"{path} is not readable JSON ({error}); copy the file again") from error


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


def state_file(path: Path) -> Path:
    """The file itself, or the only checkpoint in a folder."""
    if path.is_file():
        return path
    files = sorted(file for pattern in _STATE_FILES for file in path.glob(pattern))
    if len(files) == 1:
        return files[0]
    names = ", ".join(file.name for file in files) or "none"
    raise BadWeights(
        f"{path} must hold exactly one state dict ({', '.join(_STATE_FILES)}), but holds {names}; "
        "name the file itself"
    )


def plain_state(file: Path, ignored: Collection[str] = ()) -> dict[str, torch.Tensor]:
    """A checkpoint's tensors by the model's own names, whatever a trainer wrapped them in.

    Entries named in ``ignored`` are left out; anything else that is no tensor is an error.
    """
    import torch

    state: Mapping[str, Any] = load_state(file)
    while nest := next((name for name in _NESTS if isinstance(state.get(name), Mapping)), None):
        state = state[nest]
    state = {name: tensor for name, tensor in state.items() if name not in ignored}
    strange = [name for name, tensor in state.items() if not isinstance(tensor, torch.Tensor)]
    if strange or not state:
        raise BadWeights(
            f"{file} is no state dict: it holds {', '.join(strange[:3]) or 'nothing'}; "
            "save the model's state_dict() alone"
        )
    return _without_wrappers(state)


def _without_wrappers(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state dict without the prefixes that wrappers gave to all names alike."""
    for prefix in _WRAPPERS:
        if all(name.startswith(prefix) for name in state):
            return _without_wrappers({name[len(prefix) :]: t for name, t in state.items()})
    return dict(state)


def finite(state: dict[str, torch.Tensor], path: Path) -> dict[str, torch.Tensor]:
    """The same tensors, unless one holds a number that no trained network has."""
    import torch

    for name, tensor in state.items():
        if isinstance(tensor, dict):  # a training checkpoint, which nests its state dicts
            finite(tensor, path)
        if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
            continue
        largest = _largest(tensor)
        if not largest <= _LARGEST_WEIGHT and not name.endswith(_MASKS):
            raise BadWeights(
                f"{path} is damaged: {name} holds {largest:g}; expected finite numbers of at most "
                f"{_LARGEST_WEIGHT:g}; copy the file again"
            )
    return state


def _largest(tensor: torch.Tensor) -> float:
    """The largest absolute value; not finite if any number is not."""
    if not tensor.numel() or tensor.is_meta:
        return 0.0
    low, high = tensor.aminmax()
    return max(abs(float(low)), abs(float(high)))


def refuse_larger(planned: torch.nn.Module, paths: Sequence[Path]) -> None:
    """Refuse a network, planned on the meta device, that is too large for the files to fill.

    Built in memory, it could take all of it before the missing tensors are noticed.
    """
    files = [file for path in paths for file in ([path] if path.is_file() else path.iterdir())]
    numbers = sum(tensor.numel() for tensor in planned.parameters())
    stored = sum(file.stat().st_size for file in files if file.is_file())
    if numbers > _MOST_NUMBERS_A_BYTE * stored + _SPARE_NUMBERS:
        raise BadWeights(
            f"{', '.join(map(str, paths))}: the files hold {stored:,} bytes, too few for the "
            f"network of {numbers:,} numbers that is described; copy the whole model folder again"
        )


def load_strictly(module: torch.nn.Module, state: dict[str, torch.Tensor], path: Path) -> None:
    """Load ``state`` into ``module``; names or shapes that do not match are an error."""
    expected = module.state_dict()
    reshaped = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(expected[key].shape)}"
        for key in sorted(expected.keys() & state.keys())
        if state[key].shape != expected[key].shape
    ]
    faults = list_faults(
        missing=expected.keys() - state.keys(),
        unexpected=state.keys() - expected.keys(),
        reshaped=reshaped,
    )
    if faults:
        raise BadWeights(
            f"{path} does not fit {type(module).__name__}: {faults}; "
            "use the checkpoint that belongs to this model"
        )
    module.load_state_dict(state)


def list_faults(**faults: Collection[str]) -> str:
    """Each kind of fault with its number and the first tensors that have it; empty if none has."""
    return "; ".join(
        f"{len(names)} {kind} ({', '.join(sorted(names)[:3])}{' …' if len(names) > 3 else ''})"
        for kind, names in faults.items()
        if names
    )

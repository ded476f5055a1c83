"""The device that models run on and the precision they compute in, chosen here and only here."""

from __future__ import annotations

import gc
import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from prompt_ensemble.core.errors import BadConfig

_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Placement:
    """A device, and the precision of matrix products on it."""

    device: torch.device
    dtype: torch.dtype

    @property
    def on_gpu(self) -> bool:
        """Whether this is a GPU, where copies to the device overlap with its work."""
        return self.device.type == "cuda"

    def autocast(self) -> AbstractContextManager[object]:
        """Mixed precision for a forward pass; float32 stays whole."""
        if self.dtype == torch.float32:
            if self.on_gpu:
                # Left alone, torch rounds a convolution's float32 numbers to 10 bits (TF32).
                torch.backends.cudnn.allow_tf32 = False
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def __str__(self) -> str:
        name = next(name for name, dtype in _PRECISIONS.items() if dtype == self.dtype)
        return f"{self.device} {name}"


def choose_placement(device: str = "auto", precision: str = "auto") -> Placement:
    """The placement asked for, or the best that this machine has.

    ``auto`` precision is bf16 on GPUs that compute in it, fp16 on older ones (T4), and fp32 on a
    CPU, where bf16 would make results depend on the machine.
    """
    chosen = choose_device(device)
    if precision != "auto" and precision not in _PRECISIONS:
        raise BadConfig(f"precision {precision!r} is unknown; use auto, {', '.join(_PRECISIONS)}")
    dtype = _best_dtype(chosen) if precision == "auto" else _PRECISIONS[precision]
    return Placement(chosen, dtype)


def choose_placements(devices: str = "auto", precision: str = "auto") -> tuple[Placement, ...]:
    """Placements of devices listed with commas; ``all`` is every CUDA device, else ``auto``."""
    if devices == "all":
        cards = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
        devices = ",".join(cards) or "auto"
    chosen = tuple(choose_placement(name.strip(), precision) for name in devices.split(","))
    if len({(placement.device.type, placement.dtype) for placement in chosen}) > 1:
        raise BadConfig(
            f"devices {devices!r} are of different kinds, so results would depend on which of them "
            "made what; name devices of one kind, or a --precision that all have"
        )
    return chosen


def choose_device(name: str) -> torch.device:
    """A torch device by name, checked to exist; ``auto`` prefers CUDA, then Apple's MPS."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BadConfig(f"device {name!r} is unknown; use auto, cpu, cuda, cuda:1 …") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise BadConfig(
            f"device {name!r} is not there: torch {torch.__version__} sees "
            f"{torch.cuda.device_count()} CUDA devices; use --device auto or cpu"
        )
    return device


def _best_dtype(device: torch.device) -> torch.dtype:
    """The fastest precision on this device that costs no accuracy that matters."""
    if device.type != "cuda":
        return torch.float32
    # Cards before Ampere claim bf16 support but emulate it, slower than fp32.
    major, _ = torch.cuda.get_device_capability(device)
    return torch.bfloat16 if major >= 8 else torch.float16


def release(placement: Placement) -> None:
    """Free the memory of models that are no longer referenced."""
    gc.collect()
    if placement.on_gpu:
        torch.cuda.empty_cache()


def forget_peak_memory(placement: Placement) -> None:
    """Reset the peak that ``peak_memory`` reports."""
    if placement.on_gpu:
        torch.cuda.init()  # a fresh process has no record to reset, and torch refuses to without
        torch.cuda.reset_peak_memory_stats(placement.device)
    elif _CLEAR_REFS.exists():
        _CLEAR_REFS.write_text("5")  # proc(5): resets the peak resident set size


def peak_memory(placement: Placement) -> int:
    """Peak memory in bytes: of torch on a GPU, else of the whole process; 0 where unknown."""
    if placement.on_gpu:
        return int(torch.cuda.max_memory_allocated(placement.device))
    return _process_memory("VmHWM:")


def held_memory(placement: Placement) -> int:
    """Memory in use in bytes: by torch on a GPU, else by the whole process; 0 where unknown."""
    if placement.on_gpu:
        return int(torch.cuda.memory_allocated(placement.device))
    return _process_memory("VmRSS:")


def _process_memory(field: str) -> int:
    """Bytes in a field of this process's status file; 0 where there is none."""
    lines = _STATUS.read_text().splitlines() if _STATUS.exists() else []
    return 1024 * int(next((line.split()[1] for line in lines if line.startswith(field)), 0))


def whole_memory(placement: Placement) -> int:
    """Memory in bytes of the GPU, else of the machine; 0 where unknown."""
    if placement.on_gpu:
        return int(torch.cuda.get_device_properties(placement.device).total_memory)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0

"""Folders of diffusers, opened from the disk alone, with every tensor accounted for."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.generating.pipeline_index import read_index
from prompt_ensemble.models.checkpoints import finite, list_faults
from prompt_ensemble.models.folders import opening
from prompt_ensemble.models.transformers_folders import quiet, silenced

_VARIANTS = ("fp16", "bf16")
"""Marks in names of weight files; a folder may hold nothing but one of them."""


def open_folder(folder: Path, dtype: Any) -> Any:
    """The pipeline that a folder describes, on the CPU."""
    with opening(folder), quiet_diffusers():
        index = read_index(folder)
        networks = {
            name: _network(part, folder / name, dtype)
            for name, part in index.parts.items()
            if _is_network(part)
        }
        return index.pipeline.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, dtype=dtype, **networks
        )


@contextmanager
def quiet_diffusers() -> Iterator[None]:
    """Silence the libraries' bars and reports, which the errors here replace."""
    from diffusers.utils import logging

    with quiet(), silenced(logging):
        yield


def _is_network(part: Any) -> bool:
    """Whether a part has weights."""
    import torch

    return inspect.isclass(part) and issubclass(part, torch.nn.Module)


def _network(part: Any, folder: Path, dtype: Any) -> Any:
    """One network; ``from_pretrained`` would fill what is missing with random numbers."""
    safe, variant = _weight_files(folder)
    network, notes = part.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False, use_safetensors=safe,
        variant=variant, output_loading_info=True, dtype=dtype,
    )  # fmt: skip
    faults = list_faults(
        missing=notes["missing_keys"], mismatched=[str(name) for name in notes["mismatched_keys"]]
    )
    if faults:
        raise BadWeights(
            f"{folder}: the weights do not fit config.json: {faults}; "
            "copy the whole model folder again"
        )
    finite(network.state_dict(), folder)
    return network.eval()


def _weight_files(folder: Path) -> tuple[bool, str | None]:
    """Whether safetensors are there, and the variant to read where there is no other."""
    for suffix in (".safetensors", ".bin"):
        names = [file.name for file in folder.glob(f"*{suffix}")]
        for variant in (None, *_VARIANTS):
            if any(_variant(name) == variant for name in names):
                return suffix == ".safetensors", variant
    raise BadWeights(
        f"{folder} holds no weights; expected *.safetensors or *.bin; copy the whole model folder"
    )


def _variant(name: str) -> str | None:
    """What stands between a file's name and its end, without a shard's number."""
    _, *middle, _ = name.split(".")
    return middle[0].partition("-")[0] if middle else None

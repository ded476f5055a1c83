"""Checkpoints in the original layout: all networks of Stable Diffusion in one file.

``from_single_file`` downloads what configures them unless it is given a folder. It is always given
one here: written for the moment from this package's published values, or the user's own.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.generating.architectures import (
    Shapes,
    recognise_architecture,
    write_architecture,
)
from prompt_ensemble.generating.pipeline_folders import quiet_diffusers
from prompt_ensemble.generating.pipeline_index import read_index
from prompt_ensemble.models.checkpoints import finite, list_faults
from prompt_ensemble.models.folders import opening

_BASE_STEPS = 875_000
"""Steps of training that the published Stable Diffusion 2 base notes in its checkpoint."""


def open_file(file: Path, architecture: str, dtype: Any) -> Any:
    """The pipeline in a checkpoint, on the CPU; an empty ``architecture`` is recognised."""
    with opening(file), quiet_diffusers(), configuration(file, architecture) as folder:
        pipeline = read_index(folder, needed=False).pipeline
        if not hasattr(pipeline, "from_single_file"):
            raise BadWeights(
                f"{folder} describes {pipeline.__name__}, which has no original layout; "
                "name the folder of the whole model instead of a file"
            )
        try:
            opened = pipeline.from_single_file(
                str(file), config=str(folder), local_files_only=True, dtype=dtype
            )
        except NotImplementedError as error:  # torch's word for a tensor that has no numbers
            raise _unfitting(file, "it lacks tensors") from error
        _require_all(opened, file)
        return opened


@contextmanager
def configuration(file: Path, architecture: str) -> Iterator[Path]:
    """A folder of the small files: the user's own, or ours for as long as they are read."""
    if (own := Path(architecture)) and architecture and own.is_dir():
        yield own
        return
    with tempfile.TemporaryDirectory(prefix="prompt-ensemble-") as name:
        chosen = architecture or recognise_architecture(*_look_into(file), file)
        write_architecture(chosen, Path(name))
        yield Path(name)


def _look_into(file: Path) -> tuple[Shapes, str]:
    """The shapes of a checkpoint's tensors, and what it says its network predicts."""
    if file.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(file, "pt") as tensors:
            shapes = {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
            return shapes, _prediction(tensors.metadata() or {})
    import torch

    try:
        content = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise BadWeights(
            f"{file} is damaged or holds more than tensors; unpickling it could run code, which is "
            "refused; get the model as safetensors"
        ) from error
    state = content.get("state_dict", content)
    shapes = {name: tuple(one.shape) for name, one in state.items() if hasattr(one, "shape")}
    return shapes, "epsilon" if content.get("global_step") == _BASE_STEPS else ""


def _prediction(notes: Mapping[str, str]) -> str:
    """``v`` or ``epsilon`` by the notes of the model specification, empty without any."""
    named = notes.get("modelspec.prediction_type", "")
    if named in ("v", "epsilon"):
        return named
    architecture = notes.get("modelspec.architecture", "")
    return "v" if architecture.endswith("-v") else "epsilon" if "512" in architecture else ""


def _require_all(pipeline: Any, file: Path) -> None:
    """Complain about tensors that the file lacks, which then have no numbers, or damaged ones."""
    import torch

    for name, part in pipeline.components.items():
        if not isinstance(part, torch.nn.Module):
            continue
        state = part.state_dict()
        if faults := list_faults(missing=[key for key, one in state.items() if one.is_meta]):
            raise _unfitting(file, f"{name}: {faults}")
        finite(state, file)
        part.eval()


def _unfitting(file: Path, reason: str) -> BadWeights:
    """One line about a file that its architecture does not fill."""
    return BadWeights(
        f"{file} does not fit its architecture ({reason}); copy the file again, or say another "
        "with --architecture"
    )

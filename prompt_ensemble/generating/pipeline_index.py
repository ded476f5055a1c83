"""``model_index.json``: which classes a pipeline's folder is made of, checked before any is built.

diffusers imports whatever modules and files an index names. Here only classes of diffusers and
transformers are, and a folder that brings code of its own is refused.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.models.checkpoints import read_json
from prompt_ensemble.models.folders import check_configs

INDEX = "model_index.json"


@dataclass(frozen=True)
class PipelineIndex:
    """A pipeline's class, and the class of each of its parts."""

    pipeline: Any
    parts: Mapping[str, Any]


def read_index(folder: Path, needed: bool = True) -> PipelineIndex:
    """The index of a folder whose parts, if ``needed``, are all there."""
    file = folder / INDEX
    if not file.is_file():
        raise BadWeights(
            f"{folder} holds no {INDEX}, so it is no pipeline of diffusers; name the folder that "
            "does, or a checkpoint file in the original layout"
        )
    table = read_json(file)
    pipeline = _pipeline_class(table.get("_class_name"), file)
    parts = {
        name: _part_class(name, entry, file)
        for name, entry in table.items()
        if isinstance(entry, list) and not name.startswith("_") and entry != [None, None]
    }
    for name, part in parts.items():
        if (folder / name).is_dir():
            check_configs(folder / name)
        elif needed:
            raise BadWeights(
                f"{folder / name} is missing, though {INDEX} names it ({part.__name__}); "
                "copy the whole model folder"
            )
    return PipelineIndex(pipeline, parts)


def _pipeline_class(name: object, file: Path) -> Any:
    """A pipeline of diffusers that makes images from prompts alone."""
    import diffusers

    pipeline = getattr(diffusers, name, None) if isinstance(name, str) else None
    if not (inspect.isclass(pipeline) and issubclass(pipeline, diffusers.DiffusionPipeline)):
        raise _refused(f"the pipeline {name!r}", file)
    parameters = inspect.signature(pipeline.__call__).parameters
    empty = inspect.Parameter.empty
    wanted = [key for key, one in parameters.items() if "image" in key and one.default is empty]
    if "prompt" not in parameters or wanted or _starts_from_image(pipeline):
        raise BadWeights(
            f"{file} names {name}, which does not make images from prompts alone; "
            "use a text-to-image pipeline"
        )
    return pipeline


def _starts_from_image(pipeline: Any) -> bool:
    """Whether a pipeline changes images; their ``image`` has a default, and yet must be given."""
    parameters = inspect.signature(pipeline.__call__).parameters
    return "strength" in parameters or "mask_image" in parameters


def _part_class(name: str, entry: list[object], file: Path) -> Any:
    """The class that an entry ``[library, class]`` names."""
    library, class_name = [*entry, None][:2]
    module = _module(library)
    found = getattr(module, class_name, None) if module and isinstance(class_name, str) else None
    if not inspect.isclass(found) or not hasattr(found, "from_pretrained"):
        raise _refused(f"{name} as {entry!r}", file)
    return found


def _module(library: object) -> object:
    """transformers, diffusers or the module of one of its pipelines, else None."""
    from diffusers import pipelines

    if library in ("diffusers", "transformers"):
        return import_module(str(library))
    if isinstance(library, str) and library.isidentifier():
        return getattr(pipelines, library, None)
    return None


def _refused(what: str, file: Path) -> BadWeights:
    """One line about a class that is neither of diffusers nor of transformers."""
    return BadWeights(
        f"{file} names {what}, which the installed diffusers and transformers do not have; code "
        "that comes with weights is refused; use a model of a pipeline that they know"
    )

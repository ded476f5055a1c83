"""Lets PyPI's torchvision be imported together with a CPU build of torch.

PyPI's torchvision wheel is linked against CUDA. With a CPU torch its compiled part cannot be
loaded, which torchvision tolerates, but it then registers Python fallbacks for two operators
(``nms`` and ``qnms``) that were never declared, and the import dies with "operator torchvision::nms
does not exist"; timm, transformers, sentence-transformers and open_clip all import torchvision.

``install`` puts a watcher in front of Python's importers. When torchvision is first imported, it
declares the two missing schemas, but only if the compiled part really cannot be loaded: with a
CUDA torch, or with a CPU build of torchvision, nothing happens. The watcher itself imports
nothing, so a program that needs no torchvision does not wait for torch either. This project does
not use detection boxes; calling the declared operators would raise an error.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


class TorchvisionWatcher(MetaPathFinder):
    """Declares the missing operators just before torchvision is imported."""

    def __init__(self) -> None:
        self.declared: object | None = None  # torch drops a library's schemas with the object

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Declare what is missing and find nothing, so that the usual importers go on."""
        if name == "torchvision" and self.declared is None:
            self.declared = _declare_missing_operators()
        return None


def install() -> None:
    """Start watching for torchvision; a second call does nothing."""
    if not any(isinstance(finder, TorchvisionWatcher) for finder in sys.meta_path):
        sys.meta_path.insert(0, TorchvisionWatcher())


def _declare_missing_operators() -> object | None:
    """Declare the schemas if needed; they live as long as the object that is returned."""
    import torch

    if _compiled_part_loads():
        return None
    library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    return library


def _compiled_part_loads() -> bool:
    """Whether torchvision's shared library fits the torch that is installed."""
    import torch

    spec = PathFinder.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True  # not installed, so there is nothing to repair
    libraries = sorted(Path(spec.origin).parent.glob("_C*.so"))
    try:
        for library in libraries:
            torch.ops.load_library(str(library))
    except OSError:
        return False
    return bool(libraries)

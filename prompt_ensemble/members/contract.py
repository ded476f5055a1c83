"""The contract of an ensemble member: outputs of images first, embeddings of outputs later.

A ``Predictor`` is light: it knows its options and where its weights are, but holds none of them.
``open`` brings the model onto the device as an ``OpenedModel``, which the inference loop feeds; its
outputs go into the store. ``embed`` is the cheap second half and needs no model any more. So a
finished member is never loaded again, and another wording never captions again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from prompt_ensemble.core.embeddings import Embeddings, Encode
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.core.progress import Progress, silent

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.weights import WeightRoots


@dataclass(frozen=True)
class Batch:
    """Images that go through a model together."""

    image_ids: tuple[str, ...]
    views: tuple[torch.Tensor, ...] = ()
    """What ``prepare`` made of each image, stacked view by view, already on the device."""
    needed: Mapping[str, Outputs] = field(default_factory=dict)
    """Outputs of the members that ``needs`` names, for these images in this order."""


class OpenedModel(ABC):
    """A model on its device. It keeps nothing of any image, so it serves one run after another."""

    reads_pixels: bool = True
    """False for a model that works on the outputs of other members alone."""

    def prepare(self, image: Image.Image) -> tuple[torch.Tensor, ...]:
        """An RGB picture as tensors, usually one ``(3, H, W)`` uint8; called by worker threads."""
        return ()

    @abstractmethod
    def run(self, batch: Batch) -> Outputs:
        """Outputs of a batch, an entry for each of its images."""


class Predictor(ABC):
    """One member of the ensemble, before its weights are on the device."""

    Options: ClassVar[type[Any]]
    """Frozen dataclass of the member's options; every field has a default and a simple type."""

    def __init__(self, weights: str, options: Any, roots: WeightRoots) -> None:
        """Find the weights (an error here says what is missing) but do not load them."""
        self.options = options

    @abstractmethod
    def identity(self) -> Mapping[str, object]:
        """All that changes the outputs: weight digests and options, as JSON values."""

    def check(self) -> None:  # noqa: B027 (members without files have nothing to look for)
        """Complain about files that ``open`` would trip over, without loading any weights."""

    def trained_on(self) -> Path | None:
        """The file that tells which prompts the model was trained on, if there is one."""
        return None

    def needs(self) -> tuple[str, ...]:
        """Names of other members whose outputs each batch must hold."""
        return ()

    @abstractmethod
    def open(self, placement: Placement, progress: Progress = silent) -> OpenedModel:
        """Load the model onto the device; ``progress`` shows what of it takes long."""

    @abstractmethod
    def embed(self, outputs: Outputs, encode: Encode) -> Embeddings:
        """Outputs to embeddings, without the model."""

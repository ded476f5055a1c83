"""The contract of an ensemble member: look at images on the device, then turn that into embeddings.

A ``Predictor`` is light: it knows its options and where its weights are, but holds none of them.
``open`` brings the model onto the device as a ``OpenedModel``, which the inference loop feeds; the
outputs go into the store. ``embed`` is the cheap second half and needs no model any more. So a
finished member is never loaded again, and another wording never captions again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from prompt_ensemble.core.embeddings import Embeddings, Encode
from prompt_ensemble.core.outputs import Outputs

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.weights import WeightRoots


class OpenedModel(Protocol):
    """A model on its device."""

    def prepare(self, image: Image.Image) -> tuple[torch.Tensor, ...]:
        """An RGB picture as tensors, usually one ``(3, H, W)`` uint8; called by worker threads."""

    def run(self, views: tuple[torch.Tensor, ...], image_ids: Sequence[str]) -> Outputs:
        """Outputs of a batch: each view stacked over the images, already on the device."""


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
        """Names of other members whose outputs ``open`` must be given."""
        return ()

    @abstractmethod
    def open(self, placement: Placement, beside: Mapping[str, Outputs]) -> OpenedModel:
        """Load the model onto the device; ``beside`` holds the outputs asked for by ``needs``."""

    @abstractmethod
    def embed(self, outputs: Outputs, encode: Encode) -> Embeddings:
        """Outputs to embeddings, without the model."""

"""The contract of an ensemble member: look at images on the device, then turn that into embeddings.

A ``Predictor`` is light: it knows its options and where its weights are, but holds none of them.
``open`` brings the model onto the device as a ``Looker``, which the inference loop feeds; the
findings go into the store. ``embed`` is the cheap second half and needs no model any more. So a
finished member is never loaded again, and another wording never captions again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from prompt_ensemble.embeddings import Embeddings
from prompt_ensemble.findings import Findings

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from prompt_ensemble.device import Placement
    from prompt_ensemble.weights import WeightRoots

Encode = Callable[[Sequence[str]], np.ndarray]
"""Texts to ``(N, 384)`` float32 unit rows: the sentence encoder, loaded when first called."""


class Looker(Protocol):
    """A model on its device."""

    def prepare(self, image: Image.Image) -> tuple[torch.Tensor, ...]:
        """An RGB picture as tensors, usually one ``(3, H, W)`` uint8; called by worker threads."""

    def look(self, views: tuple[torch.Tensor, ...], image_ids: Sequence[str]) -> Findings:
        """Findings of a batch: each view stacked over the images, already on the device."""


class Predictor(ABC):
    """One member of the ensemble, before its weights are on the device."""

    Options: ClassVar[type[Any]]
    """Frozen dataclass of the member's options; every field has a default and a simple type."""

    def __init__(self, weights: str, options: Any, roots: WeightRoots) -> None:
        """Find the weights (an error here says what is missing) but do not load them."""
        self.options = options

    @abstractmethod
    def identity(self) -> Mapping[str, object]:
        """All that changes the findings: weight digests and options, as JSON values."""

    def check(self) -> None:  # noqa: B027 (members without files have nothing to look for)
        """Complain about files that ``open`` would trip over, without loading any weights."""

    def trained_on(self) -> Path | None:
        """The file that tells which prompts the model was trained on, if there is one."""
        return None

    def needs(self) -> tuple[str, ...]:
        """Names of other members whose findings ``open`` must be given."""
        return ()

    @abstractmethod
    def open(self, placement: Placement, beside: Mapping[str, Findings]) -> Looker:
        """Load the model onto the device; ``beside`` holds the findings asked for by ``needs``."""

    @abstractmethod
    def embed(self, findings: Findings, encode: Encode) -> Embeddings:
        """Findings to embeddings, without the model."""

"""Towers: networks that put pictures and texts into one space; and where to get one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_ensemble.models.folders import opening
from prompt_ensemble.models.weights import Layout, WeightRoots, fits, model_type, weights_digest

if TYPE_CHECKING:
    import torch

    from prompt_ensemble.images.preprocessing import Preprocessing
    from prompt_ensemble.models.device import Placement

REGRESSOR = Layout("embedded", ("regressor.json", "regressor.safetensors"))
HUGGING_FACE = ("clip", "siglip", "siglip2")
"""``model_type`` of transformers' folders that hold two towers."""


class Tower(ABC):
    """A loaded pair of networks; rows are float32 of length one."""

    recipe: Preprocessing

    @abstractmethod
    def see(self, pixels: torch.Tensor) -> torch.Tensor:
        """``(B, 3, H, W)`` uint8 to ``(B, D)``, on the device."""

    @abstractmethod
    def read(self, texts: Sequence[str]) -> torch.Tensor:
        """Texts to ``(N, D)``, on the device."""

    @abstractmethod
    def is_full(self, text: str) -> bool:
        """Whether a text fills the context, so that more words would go unread."""


@dataclass(frozen=True)
class TowerSource:
    """Where a tower lies and of which kind it is, before anything is loaded."""

    kind: str
    path: Path
    architecture: str = ""
    """open_clip's name, with the published weights' tag after a slash: ViT-L-14/openai."""

    def digest(self) -> str:
        """Tells apart towers whose rows differ."""
        own = f"{self.kind} {self.architecture} {weights_digest(self.path)}"
        if self.kind != "embedded":
            return own
        from prompt_ensemble.models.sentence_encoder import SentenceEncoder

        return f"{own} {SentenceEncoder().digest}"

    def text_digest(self) -> str:
        """The same for its texts alone: another regressor needs no other phrase banks."""
        if self.kind != "embedded":
            return self.digest()
        from prompt_ensemble.models.sentence_encoder import SentenceEncoder

        return SentenceEncoder().digest


def find_tower(weights: str, architecture: str, roots: WeightRoots) -> TowerSource:
    """The tower of this name: a saved regressor, a folder of transformers', or open_clip's."""
    path = roots.find(weights).path
    if path.is_dir() and fits(path, REGRESSOR):
        return TowerSource("embedded", path)
    config = path / "config.json"
    if path.is_dir() and not architecture and config.exists() and model_type(path) in HUGGING_FACE:
        return TowerSource("transformers", path)
    return TowerSource("open_clip", path, architecture)


def load_tower(source: TowerSource, placement: Placement, roots: WeightRoots) -> Tower:
    """The tower on its device."""
    with opening(source.path):
        return _load(source, placement, roots)


def _load(source: TowerSource, placement: Placement, roots: WeightRoots) -> Tower:
    """The tower, by the loader of its kind."""
    if source.kind == "embedded":
        from prompt_ensemble.models.two_sided_towers.embedded import EmbeddedTower

        return EmbeddedTower(source.path, placement, roots)
    if source.kind == "transformers":
        from prompt_ensemble.models.two_sided_towers.transformers import load_hugging_face

        return load_hugging_face(source.path, placement)
    from prompt_ensemble.models.two_sided_towers.open_clip import load_open_clip

    return load_open_clip(source.path, source.architecture, placement)

"""Where a two-sided tower lies on the disk, and how it is loaded from there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_ensemble.models.folders import opening
from prompt_ensemble.models.sentence_encoder import SentenceEncoder
from prompt_ensemble.models.weights import Layout, WeightRoots, fits, model_type, weights_digest

if TYPE_CHECKING:
    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.two_sided_towers.two_sided_tower import TwoSidedTower

_SAVED_REGRESSOR = Layout("embedded", ("regressor.json", "regressor.safetensors"))
_TRANSFORMERS_TYPES = ("clip", "siglip", "siglip2")
"""``model_type`` of transformers' folders that hold an image and a text encoder."""


@dataclass(frozen=True)
class TowerSource:
    """Where a tower lies and of which kind it is, before anything is loaded."""

    kind: str
    path: Path
    architecture: str = ""
    """open_clip's name, with the published weights' tag after a slash: ViT-L-14/openai."""

    def digest(self) -> str:
        """Differs between towers whose rows differ."""
        files = f"{self.kind} {self.architecture} {weights_digest(self.path)}"
        return f"{files} {_sentence_encoder_digest()}" if self.kind == "embedded" else files

    def text_digest(self) -> str:
        """Differs between towers whose text rows differ.

        Every embedded tower reads texts with the sentence encoder, so a bank of phrases made
        with one regressor serves all of them.
        """
        return _sentence_encoder_digest() if self.kind == "embedded" else self.digest()


def _sentence_encoder_digest() -> str:
    """Digest of the sentence encoder that travels with the package."""
    return SentenceEncoder().digest


def find_tower(weights: str, architecture: str, roots: WeightRoots) -> TowerSource:
    """The tower of this name: a saved regressor, a folder of transformers, or one of open_clip."""
    path = roots.find(weights).path
    if path.is_dir() and fits(path, _SAVED_REGRESSOR):
        return TowerSource("embedded", path)
    config = path / "config.json"
    if path.is_dir() and not architecture and config.exists():
        kind = model_type(path)
        if kind in _TRANSFORMERS_TYPES:
            return TowerSource("transformers", path)
    return TowerSource("open_clip", path, architecture)


def load_tower(source: TowerSource, placement: Placement, roots: WeightRoots) -> TwoSidedTower:
    """The tower on its device."""
    with opening(source.path):
        if source.kind == "embedded":
            from prompt_ensemble.models.two_sided_towers.embedded_tower import EmbeddedTower

            return EmbeddedTower(source.path, placement, roots)
        if source.kind == "transformers":
            from prompt_ensemble.models.two_sided_towers.transformers_tower import (
                load_transformers_tower,
            )

            return load_transformers_tower(source.path, placement)
        from prompt_ensemble.models.two_sided_towers.open_clip_tower import load_open_clip_tower

        return load_open_clip_tower(source.path, source.architecture, placement)

"""CLIP and SigLIP as transformers saves them, from a local folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import normalize

from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.transformers_folders import (
    load_model,
    load_preprocessing,
    load_tokenizer,
)
from prompt_ensemble.models.two_sided_towers.two_sided_tower import Tower
from prompt_ensemble.models.weights import model_type

TEXTS_AT_ONCE = 256


class HuggingFaceTower(Tower):
    """A loaded two-tower model of transformers."""

    def __init__(self, model: Any, folder: Path, placement: Placement) -> None:
        self.model = model.to(placement.device)
        self.recipe = load_preprocessing(folder)
        self.tokenizer = load_tokenizer(folder)
        self.context = int(model.config.text_config.max_position_embeddings)
        self.placement = placement
        # SigLIP was trained with, and pools, the padding; CLIP must not see it.
        self.padding = "longest" if model.config.model_type == "clip" else "max_length"

    def see(self, pixels: torch.Tensor) -> torch.Tensor:
        """The image tower."""
        with self.placement.autocast():
            seen = self.model.get_image_features(pixel_values=self.recipe.normalise(pixels))
        return normalize(pooled(seen).float(), dim=-1)

    def read(self, texts: Sequence[str]) -> torch.Tensor:
        """The text tower; texts of one length meet in a batch and are put back in order."""
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        parts = [
            self.read_batch([texts[number] for number in order[start : start + TEXTS_AT_ONCE]])
            for start in range(0, len(order), TEXTS_AT_ONCE)
        ]
        back = torch.tensor(order, device=self.placement.device).argsort()
        return torch.cat(parts)[back]

    def read_batch(self, texts: list[str]) -> torch.Tensor:
        """Rows of a few texts."""
        tokens = self.tokenizer(
            texts,
            padding=self.padding,
            truncation=True,
            max_length=self.context,
            return_tensors="pt",
        ).to(self.placement.device)
        with torch.inference_mode(), self.placement.autocast():
            rows = pooled(self.model.get_text_features(**tokens))
        return normalize(rows.float(), dim=-1)

    def is_full(self, text: str) -> bool:
        """Whether the tokens reach the end of the context."""
        tokens = self.tokenizer(text, truncation=False, verbose=False)
        return len(tokens["input_ids"]) >= self.context


def pooled(output: Any) -> torch.Tensor:
    """The features themselves; transformers 5 wraps them."""
    rows: torch.Tensor = getattr(output, "pooler_output", output)
    return rows


def load_hugging_face(folder: Path, placement: Placement) -> HuggingFaceTower:
    """The folder's model, every tensor accounted for."""
    import transformers

    kind = model_type(folder)
    names = {"clip": "CLIPModel", "siglip": "SiglipModel", "siglip2": "Siglip2Model"}
    model = load_model(getattr(transformers, names[kind]), folder, kind)
    return HuggingFaceTower(model, folder, placement)

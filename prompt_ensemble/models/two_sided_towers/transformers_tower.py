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
from prompt_ensemble.models.two_sided_towers.two_sided_tower import TwoSidedTower
from prompt_ensemble.models.weights import model_type

_TEXTS_AT_ONCE = 256
_MODEL_CLASSES = {"clip": "CLIPModel", "siglip": "SiglipModel", "siglip2": "Siglip2Model"}


class _TransformersTower(TwoSidedTower):
    """A loaded CLIP or SigLIP of transformers."""

    def __init__(self, model: Any, folder: Path, placement: Placement) -> None:
        self.model = model.to(placement.device)
        self.recipe = load_preprocessing(folder)
        self.tokenizer = load_tokenizer(folder)
        self.context = int(model.config.text_config.max_position_embeddings)
        self.placement = placement
        # SigLIP was trained with, and pools, the padding; CLIP must not see it.
        self.padding = "longest" if model.config.model_type == "clip" else "max_length"

    def encode_images(self, pixels: torch.Tensor) -> torch.Tensor:
        """Rows of the image encoder."""
        with self.placement.autocast():
            output = self.model.get_image_features(pixel_values=self.recipe.normalise(pixels))
        return normalize(_features(output).float(), dim=-1)

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Rows of the text encoder; texts are batched by length, then put back in order."""
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        parts = [
            self._encode_batch([texts[number] for number in order[start : start + _TEXTS_AT_ONCE]])
            for start in range(0, len(order), _TEXTS_AT_ONCE)
        ]
        places = torch.tensor(order, device=self.placement.device).argsort()
        return torch.cat(parts)[places]

    def _encode_batch(self, texts: list[str]) -> torch.Tensor:
        """Rows of texts that are padded together."""
        tokens = self.tokenizer(
            texts,
            padding=self.padding,
            truncation=True,
            max_length=self.context,
            return_tensors="pt",
        ).to(self.placement.device)
        with torch.inference_mode(), self.placement.autocast():
            rows = _features(self.model.get_text_features(**tokens))
        return normalize(rows.float(), dim=-1)

    def is_full(self, text: str) -> bool:
        """Whether the tokens reach the end of the context."""
        tokens = self.tokenizer(text, truncation=False, verbose=False)
        return len(tokens["input_ids"]) >= self.context


def _features(output: Any) -> torch.Tensor:
    """The feature rows; transformers 5 wraps them in an output object."""
    rows: torch.Tensor = getattr(output, "pooler_output", output)
    return rows


def load_transformers_tower(folder: Path, placement: Placement) -> _TransformersTower:
    """The folder's model, with every tensor checked."""
    import transformers

    kind = model_type(folder)
    model = load_model(getattr(transformers, _MODEL_CLASSES[kind]), folder, kind)
    return _TransformersTower(model, folder, placement)

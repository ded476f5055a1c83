"""The recipe of a captioner: every choice that its training depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prompt_ensemble.training.decoder_recipe import DecoderRecipe
from prompt_ensemble.training.row_chances import TierShares


@dataclass(frozen=True)
class CaptionerRecipe(DecoderRecipe, TierShares):
    """Defaults are those of the captioner that travels with the package."""

    library: str = "onnx-clip"
    """Of the image tower, as for a regressor: timm, transformers, open_clip …"""
    tower: str = "ViT-B-16"
    backbone: str = "clip-vit-base-patch16"
    cells: int = 0
    """Squares a side of the tower's map; 0 is its one pooled row."""
    start_from: str = ""
    """Weights of a prompt writer whose decoder, which knows texts, is where training starts; or of
    a captioner that training goes on from."""
    decoder: Literal["transformer", "recurrent", "language-model"] = "transformer"
    language_model: str = ""
    """Weights of the decoder ``language-model``: a folder of transformers, GPT-2 and the like."""
    tuned: Literal["frozen", "lora", "whole"] = "frozen"
    """How much of the language model learns; what turns an image into its words always does."""
    lora_rank: int = 8

    longest: int = 40
    steps: int = 300
    batch_size: int = 64
    rate: float = 2e-4
    warm_up: float = 0.05
    smoothing: float = 0.1
    average: float = 0.99
    feature_noise: float = 0.1
    """Of the features' own spread, added in training."""
    images_a: int = 3
    images_other: int = 1
    """Images of a prompt that are trained on at most, in tier A and in the others."""
    share_b: float = 0.1
    share_c: float = 0.1
    share_photo: float = 0.3

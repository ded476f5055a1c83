"""The recipe of a regressor: every choice that its training depends on."""

from __future__ import annotations

from dataclasses import dataclass

from prompt_ensemble.images.preprocessing import HALF, Preprocessing
from prompt_ensemble.training.row_chances import TierShares


@dataclass(frozen=True)
class Recipe(TierShares):
    """Defaults suit a small tower and few distinct prompts."""

    library: str = "timm"
    """timm, open_clip or transformers."""
    tower: str = "tf_efficientnet_lite0"
    """The library's name of the network; empty where the backbone's folder says it."""
    backbone: str | None = "efficientnet-lite0"
    """Published weights that training starts from; None starts from random ones."""
    size: int = 192
    """Pixels a side; 0 is the tower's own, as is an empty mean or std."""
    mean: tuple[float, ...] = HALF
    std: tuple[float, ...] = HALF
    frozen_stages: int = 4
    """First stages that stay as they are: their outputs are computed once and kept on disk."""
    views: int = 3
    """Looks at each image, the first plain, the others augmented, when stages are frozen."""
    smallest_crop: float = 0.72
    stretch: float = 0.12
    flips: bool = True
    colour: float = 0.15

    head: str = "mlp"
    head_from_text: bool = False
    """Begin with a linear map learnt from the tower's text side and the training prompts."""
    hidden: int = 1024
    dropout: float = 0.5

    head_steps: int = 150
    """Steps in which only the head learns."""
    steps: int = 900
    batch_size: int = 32
    accumulation: int = 1
    """Parts that a batch is computed in, to save memory."""
    gradient_checkpointing: bool = False
    precision: str = "no"
    """``no``, ``bf16`` or ``fp16``, as accelerate names them."""
    head_rate: float = 1e-3
    tower_rate: float = 3e-4
    layer_decay: float = 0.8
    """Each layer further from the head learns at this fraction of the rate above it."""
    weight_decay: float = 0.05
    warm_up: float = 0.1
    average: float = 0.99
    """Decay of the running average of the weights, which is what is saved."""

    cosine: float = 1.0
    contrastive: float = 0.0
    temperature: float = 0.07
    squared: float = 0.0

    seed: int = 0

    def preprocessing(self) -> Preprocessing:
        """How pictures are prepared at inference."""
        (red, green, blue), (r, g, b) = self.mean, self.std
        return Preprocessing(self.size, self.size, (red, green, blue), (r, g, b))

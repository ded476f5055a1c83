"""The recipe of a fine-tuning: every choice that it depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prompt_ensemble.training.row_chances import TierShares


@dataclass(frozen=True)
class FineTuneRecipe(TierShares):
    """Defaults suit a captioner of BLIP's size and some thousand pairs on one GPU."""

    tuned: Literal["whole", "decoder", "lora"] = "whole"
    """What learns: everything, everything but the image tower, or low-rank additions alone."""
    lora_rank: int = 16
    lora_on_images: bool = False
    """Whether the image tower gets low-rank additions, too."""
    keep_adapter: bool = False
    """Whether to write LoRA's additions apart as well, into ``adapter``."""

    longest: int = 64
    """Tokens of a prompt that are learnt; the rest is cut off."""
    steps: int = 2000
    batch_size: int = 32
    accumulation: int = 1
    """Parts that a batch is computed in, to save memory."""
    gradient_checkpointing: bool = False
    precision: str = "no"
    """``no``, ``bf16`` or ``fp16``, as accelerate names them."""
    rate: float = 1e-5
    tower_rate: float = 5e-6
    """Of the image tower's last layer."""
    layer_decay: float = 0.9
    """Each layer of the image tower further from the text learns at this fraction of the next."""
    tower_waits: int = 0
    """Steps before the image tower begins to learn."""
    weight_decay: float = 0.05
    warm_up: float = 0.05
    smoothing: float = 0.1
    average: float = 0.99
    """Decay of the running average of the weights, which is what is judged and saved."""

    judge_every: int = 200
    """Steps between two looks at what is said of held-out images."""
    judged_images: int = 500
    """Held-out images that are looked at, at most."""
    patience: int = 0
    """Looks without a better score after which training ends early; 0 takes all steps."""

    images_a: int = 3
    images_other: int = 1
    """Images of a prompt that are trained on at most, in tier A and in the others."""
    workers: int = 2
    """Processes that read images ahead."""
    seed: int = 0

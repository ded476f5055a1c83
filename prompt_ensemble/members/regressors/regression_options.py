"""Options of a regressor, and which of them only a plain state dict needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from prompt_ensemble.core.errors import BadConfig

STATE_DICT_OPTIONS = ("architecture", "image_size", "resize", "interpolation", "mean", "std")
"""Options that a saved regressor's description answers instead."""


@dataclass(frozen=True)
class RegressionOptions:
    """The views taken of each image, and what a plain state dict does not record about itself."""

    views: tuple[str, ...] = ("plain",)
    """Views of each image: ``plain``, ``flip``, ``five-crop``, ``crop-centre``, ``size-288``,
    ``norm-imagenet`` …, joined by ``+`` to combine them in one view."""
    average: Literal["unit", "raw"] = "unit"
    """Rows of the views are averaged at length one, or as the network left them."""
    eight_bits: bool = True
    """On a CPU, run a tower that is stored in eight bits as it is: faster, a little less exact."""
    keep_features: bool = False
    """Keep the tower's features of the first view, for a captioner that was trained on them."""
    architecture: str = ""
    """timm's name of the network; the file's name if empty."""
    image_size: int = 0
    """Pixels a side; timm's default if 0, as for all options below."""
    resize: Literal["", "squash"] = ""
    """``squash`` the whole picture into the square instead of cropping its middle."""
    interpolation: Literal["", "nearest", "bilinear", "bicubic", "lanczos"] = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


def refuse_state_dict_options(options: RegressionOptions, folder: Path) -> None:
    """Complain about options that contradict the description of a saved regressor."""
    defaults = RegressionOptions()
    for name in STATE_DICT_OPTIONS:
        if getattr(options, name) != getattr(defaults, name):
            raise BadConfig(
                f"option {name!r} is for plain state dicts; {folder} has a description that "
                "answers it, so leave it out"
            )

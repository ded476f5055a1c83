"""What a library of image towers offers, and what a tower may offer besides its features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from prompt_ensemble.images.preprocessing import Preprocessing

Config = Mapping[str, Any]
"""What a library builds a network from, in addition to its name; JSON values."""


@dataclass(frozen=True)
class TowerLibrary:
    """How the towers of one library are built, loaded and described."""

    build: Callable[[str, Config], nn.Module]
    """Name and config to a network with random weights, which maps pixels to ``(B, D)``."""
    load: Callable[[nn.Module, Sequence[Path]], None]
    """Put published weights into a network, every tensor accounted for."""
    describe: Callable[[str, Sequence[Path]], tuple[Config, Preprocessing]]
    """Name and published files to the network's config and the preprocessing of its images."""


@runtime_checkable
class Freezable(Protocol):
    """A tower that has a faster form, as long as nobody trains it."""

    def frozen_on(self, device: torch.device) -> nn.Module:
        """The fastest form on this device; the tower itself where there is none."""

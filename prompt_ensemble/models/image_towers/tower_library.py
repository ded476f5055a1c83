"""What a tower library has to offer: its networks by name, and their weights as users have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from prompt_ensemble.images.preprocessing import Preprocessing

Config = Mapping[str, Any]
"""What a library builds a network from, beside its name; JSON values."""


@dataclass(frozen=True)
class TowerLibrary:
    """The three things done with a tower, each by its own library."""

    build: Callable[[str, Config], nn.Module]
    """The network with random weights; pixels to ``(B, D)``."""
    load: Callable[[nn.Module, Sequence[Path]], None]
    """Published weights into the network, strictly."""
    describe: Callable[[str, Sequence[Path]], tuple[Config, Preprocessing]]
    """What published files, or the library, say of the network and of the pictures it wants."""

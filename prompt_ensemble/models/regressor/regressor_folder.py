"""The folder of a trained regressor.

``regressor.json`` describes it; ``regressor.safetensors`` holds its weights in float16, those of
the head alone where the tower keeps published weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save

from prompt_ensemble.core.errors import BadWeights, MissingWeights
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.models.checkpoints import (
    load_state,
    load_strictly,
    read_description,
    refuse_larger,
)
from prompt_ensemble.models.folders import opening
from prompt_ensemble.models.image_towers.image_tower import TowerSpec, build_tower, load_backbones
from prompt_ensemble.models.regressor.head import HeadSpec, build_head
from prompt_ensemble.models.regressor.network import Regressor
from prompt_ensemble.models.weights import WeightRoots

_FORMAT = 1
DESCRIPTION = "regressor.json"
WEIGHTS = "regressor.safetensors"


@dataclass(frozen=True)
class RegressorCard:
    """What a saved regressor consists of, and how it was trained."""

    tower: TowerSpec
    head: HeadSpec
    preprocessing: Preprocessing
    training: Mapping[str, Any] = field(default_factory=dict)
    """Data digest, recipe and held-out score."""
    format: int = _FORMAT


def save_regressor(model: Regressor, card: RegressorCard, folder: Path) -> None:
    """Write both files; the weights of a published tower are not stored again."""
    part = model.head if card.tower.backbone else model
    state = {name: _as_half(tensor) for name, tensor in part.state_dict().items()}
    write_atomically(folder / WEIGHTS, save(dict(sorted(state.items()))))
    write_atomically(folder / DESCRIPTION, json.dumps(asdict(card), indent=1) + "\n")


def _as_half(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor in float16, or as it is if it holds integers."""
    tensor = tensor.detach().cpu().contiguous()
    return tensor.half() if tensor.is_floating_point() else tensor


def read_card(folder: Path) -> RegressorCard:
    """The description of a saved regressor, with every key checked."""
    return read_description(RegressorCard, folder / DESCRIPTION, _FORMAT)


def load_regressor(folder: Path, roots: WeightRoots) -> tuple[Regressor, RegressorCard]:
    """A saved regressor in float32 on the CPU, with every tensor accounted for."""
    card = read_card(folder)
    check_saved(folder, card)
    _check_size(folder, card.tower, roots)
    model = Regressor(build_tower(card.tower), build_head(card.head))
    state = load_state(folder / WEIGHTS)
    if card.tower.backbone:
        load_backbones(model.tower, card.tower, roots)
        load_strictly(model.head, state, folder / WEIGHTS)
    else:
        load_strictly(model, state, folder / WEIGHTS)
    return model.eval(), card


def _check_size(folder: Path, tower: TowerSpec, roots: WeightRoots) -> None:
    """Refuse a tower whose description asks for more numbers than its files can hold."""
    if not tower.config:
        return
    with opening(folder), torch.device("meta"):
        planned = build_tower(tower)
    backbones = [roots.find(name).path for name in tower.backbones]
    refuse_larger(planned, backbones or [folder / WEIGHTS])


def check_saved(folder: Path, card: RegressorCard) -> None:
    """Check, without loading it, that the weights file is whole and that its head fits the card."""
    path = folder / WEIGHTS
    with opening(folder):
        if not path.is_file():
            raise MissingWeights(f"{path} is not there; copy the whole model folder")
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in names}
        with torch.device("meta"):
            head = build_head(card.head)
    prefix = "" if card.tower.backbone else "head."
    for name, tensor in head.state_dict().items():
        if shapes.get(prefix + name) != tuple(tensor.shape):
            raise BadWeights(
                f"{path} does not fit {DESCRIPTION}: {prefix + name} has the shape "
                f"{shapes.get(prefix + name)}, not {tuple(tensor.shape)}; copy both files again"
            )

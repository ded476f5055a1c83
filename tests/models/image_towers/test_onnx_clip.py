"""CLIP's image encoder out of ONNX files: in full precision, and in eight bits."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from onnx import helper
from tiny_onnx_clip import save_in_eight_bits, save_whole, tiny_clip
from torch import nn

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.images.preprocessing import CLIP_MEAN
from prompt_ensemble.models.image_towers import eight_bits, onnx_clip
from prompt_ensemble.models.image_towers.eight_bits import EightBitTower
from prompt_ensemble.models.image_towers.image_tower import (
    build_tower,
    describe_tower,
    frozen,
    load_backbones,
)
from prompt_ensemble.models.weights import WeightRoots

ROOTS = WeightRoots(())
CPU = torch.device("cpu")
PIXELS = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def tower_of(file: Path) -> nn.Module:
    """A tower with the file's weights."""
    spec, recipe = describe_tower("onnx-clip", "tiny", str(file), ROOTS)
    assert (recipe.height, recipe.resize_shortest, recipe.mean) == (32, 32, CLIP_MEAN)
    tower = build_tower(spec)
    load_backbones(tower, spec, ROOTS)
    return tower.eval()


@torch.inference_mode()
def features(tower: nn.Module, pixels: torch.Tensor = PIXELS) -> torch.Tensor:
    """A tower's rows."""
    rows: torch.Tensor = tower(pixels)
    return rows


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that adds up eight bits exactly, whatever this machine has."""
    monkeypatch.setattr(onnx_clip, "multiplies_exactly", lambda: True)


def test_a_whole_export_gives_the_same_features(tmp_path: Path, processor: None) -> None:
    save_whole(tiny_clip(), tmp_path / "vision.onnx")
    tower = tower_of(tmp_path / "vision.onnx")
    with torch.inference_mode():
        assert torch.allclose(tiny_clip()(PIXELS).image_embeds, features(tower), atol=1e-5)
    assert frozen(tower, CPU) is tower


def test_eight_bits_come_close_read_or_run(tmp_path: Path, processor: None) -> None:
    save_in_eight_bits(tiny_clip(), tmp_path / "vision.onnx")
    tower = tower_of(tmp_path)
    with torch.inference_mode():
        whole = tiny_clip()(PIXELS).image_embeds
    quick = frozen(tower, CPU)
    assert isinstance(quick, EightBitTower)
    exact = [quick] if eight_bits.multiplies_exactly() else []
    for rounded in (tower, *exact):
        likeness = torch.nn.functional.cosine_similarity(whole, features(rounded))
        assert likeness.min() > 0.999
        assert not torch.allclose(whole, features(rounded), atol=1e-5)


def test_in_eight_bits_a_row_does_not_depend_on_its_batch(tmp_path: Path, processor: None) -> None:
    save_in_eight_bits(tiny_clip(), tmp_path / "vision.onnx")
    quick = frozen(tower_of(tmp_path), CPU)
    louder = torch.cat([PIXELS[:1], PIXELS[1:] * 9])
    assert torch.allclose(features(quick)[0], features(quick, louder)[0], atol=1e-5)


def test_other_sizes_and_devices_get_full_precision(tmp_path: Path, processor: None) -> None:
    save_in_eight_bits(tiny_clip(), tmp_path / "vision.onnx")
    tower = tower_of(tmp_path)
    larger = torch.nn.functional.interpolate(PIXELS, (48, 48))
    assert torch.equal(features(frozen(tower, CPU), larger), features(tower, larger))
    assert frozen(tower, torch.device("cuda")) is tower


def test_a_processor_that_clips_sums_gets_full_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_clip, "multiplies_exactly", lambda: False)
    save_in_eight_bits(tiny_clip(), tmp_path / "vision.onnx")
    tower = tower_of(tmp_path)
    assert frozen(tower, CPU) is tower


def test_a_graph_that_does_not_run_is_one_line(tmp_path: Path, processor: None) -> None:
    save_in_eight_bits(tiny_clip(), tmp_path / "vision.onnx")
    quick = frozen(tower_of(tmp_path), CPU)
    model = onnx.load(tmp_path / "vision.onnx")
    model.graph.node[0].op_type = "Nonsense"
    onnx.save(model, tmp_path / "vision.onnx")
    with pytest.raises(
        BadWeights, match=r"cannot be run by ONNX Runtime .* set eight_bits = false"
    ):
        features(quick)


def test_what_a_file_lacks_is_named(tmp_path: Path) -> None:
    file = tmp_path / "vision.onnx"
    save_whole(tiny_clip(), file)
    lacking = "vision_model.encoder.layers.1.layer_norm1.weight"
    model = onnx.load(file)
    kept = [tensor for tensor in model.graph.initializer if tensor.name != lacking]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    onnx.save(model, file)
    with pytest.raises(BadWeights, match=rf"1 missing \({lacking}\)"):
        tower_of(file)


def test_another_network_is_told_apart(tmp_path: Path) -> None:
    onnx.save(helper.make_model(helper.make_graph([], "other", [], [])), tmp_path / "other.onnx")
    with pytest.raises(BadWeights, match="expected CLIP's vision tower"):
        tower_of(tmp_path / "other.onnx")


def test_damage_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "vision.onnx").write_bytes(b"\xff" * 100)
    with pytest.raises(BadWeights, match=r"vision\.onnx is damaged or not ONNX"):
        tower_of(tmp_path)


def test_a_folder_must_hold_one_file(tmp_path: Path) -> None:
    with pytest.raises(BadWeights, match="holds 0 ONNX files"):
        tower_of(tmp_path)

"""CLIP's looking half out of ONNX files, as exporters write them: whole, and in eight bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from prompt_ensemble.errors import BadWeights
from prompt_ensemble.preprocessing import CLIP_MEAN
from prompt_ensemble.regression.towers import build_tower, describe_tower, load_backbones
from prompt_ensemble.weights import WeightRoots

SMALL = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2,
         "intermediate_size": 64, "image_size": 32, "patch_size": 16,
         "projection_dim": 24}  # fmt: skip
ROOTS = WeightRoots(())


@pytest.fixture
def network() -> CLIPVisionModelWithProjection:
    """A tower whose every part matters to its answer."""
    torch.manual_seed(0)
    model = CLIPVisionModelWithProjection(CLIPVisionConfig(**SMALL)).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(torch.randn_like(weights) * 0.05)
    return model


def save_onnx(
    model: CLIPVisionModelWithProjection, file: Path, *, bits: int = 32, without: str = ""
) -> None:
    """What torch's exporter makes of the model: named vectors, unnamed matrices, named products."""
    stored, steps = [], []
    for number, (name, tensor) in enumerate(model.state_dict().items()):
        rows = tensor.numpy()
        if name == without:
            continue
        if rows.ndim != 2 or "embedding" in name:
            stored.append(numpy_helper.from_array(rows, name))
            continue
        layer = "/" + name.removesuffix(".weight").replace(".", "/").replace("layers/", "layers.")
        matrix = f"onnx::MatMul_{number}"
        if bits == 32:
            stored.append(numpy_helper.from_array(rows.T.copy(), matrix))
            steps.append(helper.make_node("MatMul", ["x", matrix], ["y"], f"{layer}/MatMul"))
        else:
            stored += in_eight_bits(rows.T, matrix)
            inputs = ["x", f"{matrix}_quantized"]
            steps.append(helper.make_node("MatMulInteger", inputs, ["y"], f"{layer}/MatMul_quant"))
    steps.append(helper.make_node("MatMul", ["queries", "keys"], ["z"], "/self_attn/MatMul"))
    onnx.save(helper.make_model(helper.make_graph(steps, "clip", [], [], stored)), file)


def in_eight_bits(rows: np.ndarray, name: str) -> list[onnx.TensorProto]:
    """A matrix, and the scale and zero of each of its columns."""
    scale = (np.abs(rows).max(axis=0) / 100).astype(np.float32)
    zero = (np.arange(rows.shape[1]) % 7).astype(np.int8)
    few = (np.round(rows / scale) + zero).astype(np.int8)
    parts = {"quantized": few, "scale": scale, "zero_point": zero}
    return [numpy_helper.from_array(part, f"{name}_{kind}") for kind, part in parts.items()]


def seen_by(file: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Some pixels, and what a tower loaded from the file makes of them."""
    spec, recipe = describe_tower("onnx-clip", "tiny", str(file), ROOTS)
    assert (recipe.height, recipe.resize_shortest, recipe.mean) == (32, 32, CLIP_MEAN)
    tower = build_tower(spec)
    load_backbones(tower, spec, ROOTS)
    pixels = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return pixels, tower.eval()(pixels)


def test_a_whole_export_gives_the_same_features(tmp_path: Path, network: torch.nn.Module) -> None:
    save_onnx(network, tmp_path / "vision.onnx")
    pixels, features = seen_by(tmp_path / "vision.onnx")
    with torch.inference_mode():
        assert torch.allclose(network(pixels).image_embeds, features, atol=1e-5)


def test_eight_bits_come_close(tmp_path: Path, network: torch.nn.Module) -> None:
    save_onnx(network, tmp_path / "vision.onnx", bits=8)
    pixels, features = seen_by(tmp_path)
    with torch.inference_mode():
        whole = network(pixels).image_embeds
    assert torch.nn.functional.cosine_similarity(whole, features).min() > 0.99
    assert not torch.allclose(whole, features, atol=1e-5)


def test_what_a_file_lacks_is_named(tmp_path: Path, network: torch.nn.Module) -> None:
    lacking = "vision_model.encoder.layers.1.self_attn.k_proj.weight"
    save_onnx(network, tmp_path / "vision.onnx", without=lacking)
    with pytest.raises(BadWeights, match=rf"1 missing \({lacking}\)"):
        seen_by(tmp_path / "vision.onnx")


def test_another_network_is_told_apart(tmp_path: Path) -> None:
    onnx.save(helper.make_model(helper.make_graph([], "other", [], [])), tmp_path / "other.onnx")
    with pytest.raises(BadWeights, match="expected CLIP's vision tower"):
        seen_by(tmp_path / "other.onnx")


def test_damage_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "vision.onnx").write_bytes(b"\xff" * 100)
    with pytest.raises(BadWeights, match=r"vision\.onnx is damaged or not ONNX"):
        seen_by(tmp_path)


def test_a_folder_must_hold_one_file(tmp_path: Path) -> None:
    with pytest.raises(BadWeights, match="holds 0 ONNX files"):
        seen_by(tmp_path)

"""A tiny CLIP tower of random weights in ONNX files, by the tools that people use."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

SMALL = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2,
         "intermediate_size": 64, "image_size": 32, "patch_size": 16,
         "projection_dim": 24}  # fmt: skip


class Embeds(nn.Module):
    """The tower with one output."""

    def __init__(self, model: CLIPVisionModelWithProjection) -> None:
        super().__init__()
        self.vision_model = model.vision_model
        self.visual_projection = model.visual_projection

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """What is compared with texts."""
        embeds: torch.Tensor = self.visual_projection(self.vision_model(pixel_values)[1])
        return embeds


def tiny_clip() -> CLIPVisionModelWithProjection:
    """A tower whose every part matters to its answer."""
    torch.manual_seed(0)
    config = CLIPVisionConfig(**SMALL, attn_implementation="eager")
    model = CLIPVisionModelWithProjection(config).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(torch.randn_like(weights) * 0.05)
    return model


def save_whole(model: CLIPVisionModelWithProjection, file: Path) -> None:
    """By torch's exporter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Embeds(model), (torch.zeros(1, 3, 32, 32),), file, dynamo=False, opset_version=17,
            input_names=["pixel_values"], output_names=["image_embeds"],
            dynamic_axes={"pixel_values": {0: "batch"}, "image_embeds": {0: "batch"}},
        )  # fmt: skip


def save_in_eight_bits(model: CLIPVisionModelWithProjection, file: Path) -> None:
    """By ONNX Runtime's quantiser, a scale for each column."""
    whole = file.with_suffix(".whole")
    save_whole(model, whole)
    quantize_dynamic(
        whole, file, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"]
    )
    whole.unlink()

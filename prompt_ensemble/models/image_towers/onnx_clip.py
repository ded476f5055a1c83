"""CLIP's looking half out of an ONNX file, its matrices whole or in eight bits.

Exports keep the names of embeddings, norms and biases. Matrices lose theirs, but the step that
multiplies by one is named after its layer. So the numbers go into the network of transformers, to
learn and to run on a GPU; on a CPU a file in eight bits is run as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.images.preprocessing import CLIP_MEAN, CLIP_STD, Preprocessing
from prompt_ensemble.models.checkpoints import finite, load_strictly
from prompt_ensemble.models.image_towers.eight_bits import OUTPUT, EightBits, multiplies_exactly
from prompt_ensemble.models.image_towers.tower_library import Config, TowerLibrary
from prompt_ensemble.models.image_towers.transformers import KINDS, TransformersVision
from prompt_ensemble.models.transformers_folders import quiet

EIGHT_BITS = "MatMulInteger"
KIND = KINDS["clip_vision_model"]
PREFIXES = ("vision_model.", "visual_projection.")
PRODUCTS = ("MatMul", EIGHT_BITS)
HEAD_WIDTH = 64
"""Numbers of an attention head in every CLIP of OpenAI's; no tensor tells it."""


class OnnxClip(TransformersVision):
    """The network, and the file that its numbers came from."""

    file: Path | None = None

    def frozen_on(self, device: torch.device) -> nn.Module:
        """The fastest way to look on this device, for whoever changes no number."""
        if self.file is None or device.type != "cpu" or not multiplies_exactly():
            return self
        graph = read_graph(self.file)
        in_eight_bits = any(step.op_type == EIGHT_BITS for step in graph.node)
        runs = in_eight_bits and any(one.name == OUTPUT for one in graph.output)
        return EightBits(self.file, self.size, whole=self) if runs else self


def build(name: str, config: Config) -> nn.Module:
    """The network that ``config`` (of ``describe``) tells of."""
    with quiet():
        return OnnxClip(KIND.make(dict(config)), KIND)


def load(tower: nn.Module, paths: Sequence[Path]) -> None:
    """The numbers of an ONNX file; every tensor of the network must be there."""
    assert isinstance(tower, OnnxClip)
    for path in paths:
        tower.file = onnx_file(path)
        load_strictly(tower.eyes, read_tensors(tower.file), tower.file)


def describe(name: str, paths: Sequence[Path]) -> tuple[Config, Preprocessing]:
    """What the shapes of the tensors tell, and OpenAI's recipe for pictures."""
    if not paths:
        raise BadWeights(f"tower {name!r} needs an ONNX file; name it as the backbone")
    file = onnx_file(paths[0])
    config = config_of(read_tensors(file), file)
    size = int(config["image_size"])
    return config, Preprocessing(size, size, CLIP_MEAN, CLIP_STD, resize_shortest=size)


def onnx_file(path: Path) -> Path:
    """The path itself, or the only ONNX file of the folder."""
    files = sorted(path.glob("*.onnx")) if path.is_dir() else [path]
    if len(files) != 1:
        raise BadWeights(f"{path} holds {len(files)} ONNX files; expected the one of CLIP's tower")
    return files[0]


def config_of(state: Mapping[str, torch.Tensor], file: Path) -> dict[str, Any]:
    """The network's measures."""
    patches, places, wide, out = (
        found(state, name, file)
        for name in (
            "vision_model.embeddings.patch_embedding.weight",
            "vision_model.embeddings.position_embedding.weight",
            "vision_model.encoder.layers.0.mlp.fc1.weight",
            "visual_projection.weight",
        )
    )
    width, patch = patches.shape[0], patches.shape[-1]
    return {
        "hidden_size": width,
        "patch_size": patch,
        "image_size": isqrt(len(places) - 1) * patch,
        "intermediate_size": wide.shape[0],
        "num_hidden_layers": sum(name.endswith(".mlp.fc1.weight") for name in state),
        "num_attention_heads": max(1, width // HEAD_WIDTH),
        "projection_dim": out.shape[0],
    }


def found(state: Mapping[str, torch.Tensor], name: str, file: Path) -> torch.Tensor:
    """A tensor that every tower of CLIP has."""
    if name not in state:
        raise BadWeights(f"{file} lacks {name}; expected CLIP's vision tower, exported whole")
    return state[name]


def read_tensors(file: Path) -> dict[str, torch.Tensor]:
    """All tensors of the tower under transformers' names, in float32."""
    from onnx.numpy_helper import to_array

    graph = read_graph(file)
    stored = {one.name: to_array(one) for one in graph.initializer}
    named = {name: rows for name, rows in stored.items() if name.startswith(PREFIXES)}
    whole = named | dict(matrices(graph, stored))
    state = {name: torch.from_numpy(np.array(rows, np.float32)) for name, rows in whole.items()}
    return finite(state, file)


def read_graph(file: Path) -> Any:
    """Steps and stored numbers of an ONNX file; nothing of it is run."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.load(file, load_external_data=False).graph
    except (OSError, DecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BadWeights(f"{file} is damaged or not ONNX ({reason}); copy it again") from error


def matrices(graph: Any, stored: Mapping[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """The matrix of each product with stored numbers, under its layer's name."""
    for step in graph.node:
        if step.op_type in PRODUCTS and step.input[1] in stored:
            layer = step.name.strip("/").split("/MatMul")[0].replace("/", ".")
            yield f"{layer}.weight", whole_numbers(stored, step.input[1]).T


def whole_numbers(stored: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """A matrix ``(in, out)`` in full precision; scale and zero lie beside it if it has few bits."""
    rows = stored[name]
    if rows.dtype == np.float32:
        return rows
    base = name.removesuffix("_quantized")
    shifted = rows.astype(np.float32) - stored[f"{base}_zero_point"].astype(np.float32)
    product: np.ndarray = shifted * stored[f"{base}_scale"]
    return product


ONNX_CLIP = TowerLibrary(build, load, describe)

"""CLIP's image encoder out of an ONNX file, its matrices in full precision or in eight bits.

Exports keep the names of embeddings, norms and biases. Matrices lose theirs, but the graph's node
that multiplies by one is named after its layer. So every tensor finds its place in the network of
transformers, which trains and runs on a GPU; on a CPU a file in eight bits is run as it is.
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
from prompt_ensemble.models.image_towers.eight_bits import OUTPUT, EightBitTower, multiplies_exactly
from prompt_ensemble.models.image_towers.tower_library import Config, TowerLibrary
from prompt_ensemble.models.image_towers.transformers_kinds import KINDS
from prompt_ensemble.models.image_towers.transformers_vision import TransformersVision
from prompt_ensemble.models.transformers_folders import quiet

_EIGHT_BIT_PRODUCT = "MatMulInteger"
_PRODUCTS = ("MatMul", _EIGHT_BIT_PRODUCT)
"""Operators of ONNX that multiply by a matrix."""
_KIND = KINDS["clip_vision_model"]
_PREFIXES = ("vision_model.", "visual_projection.")
_HEAD_WIDTH = 64
"""Width of an attention head in every CLIP of OpenAI; no tensor shows it."""


class _OnnxClip(TransformersVision):
    """The network, and the file that it was loaded from."""

    file: Path | None = None

    def frozen_on(self, device: torch.device) -> nn.Module:
        """The file's own eight-bit graph on a CPU that runs it exactly, else the network itself."""
        if self.file is None or device.type != "cpu" or not multiplies_exactly():
            return self
        graph = _read_graph(self.file)
        in_eight_bits = any(node.op_type == _EIGHT_BIT_PRODUCT for node in graph.node)
        has_output = any(output.name == OUTPUT for output in graph.output)
        if in_eight_bits and has_output:
            return EightBitTower(self.file, self.size, whole=self)
        return self


def _build(name: str, config: Config) -> nn.Module:
    """The network that ``config`` (of ``_describe``) describes."""
    with quiet():
        return _OnnxClip(_KIND.build(dict(config)), _KIND)


def _load(tower: nn.Module, paths: Sequence[Path]) -> None:
    """The tensors of an ONNX file; every one that the network has must be there."""
    assert isinstance(tower, _OnnxClip)
    for path in paths:
        tower.file = _onnx_file(path)
        load_strictly(tower.eyes, _read_tensors(tower.file), tower.file)


def _describe(name: str, paths: Sequence[Path]) -> tuple[Config, Preprocessing]:
    """The measures that the tensors' shapes show, and OpenAI's preprocessing."""
    if not paths:
        raise BadWeights(f"tower {name!r} needs an ONNX file; name it as the backbone")
    file = _onnx_file(paths[0])
    config = _config_of(_read_tensors(file), file)
    size = int(config["image_size"])
    return config, Preprocessing(size, size, CLIP_MEAN, CLIP_STD, resize_shortest=size)


def _onnx_file(path: Path) -> Path:
    """The path itself, or the only ONNX file of the folder."""
    files = sorted(path.glob("*.onnx")) if path.is_dir() else [path]
    if len(files) != 1:
        raise BadWeights(f"{path} holds {len(files)} ONNX files; expected the one of CLIP's tower")
    return files[0]


def _config_of(state: Mapping[str, torch.Tensor], file: Path) -> dict[str, Any]:
    """The network's measures, from the shapes of its tensors."""
    names = (
        "vision_model.embeddings.patch_embedding.weight",
        "vision_model.embeddings.position_embedding.weight",
        "vision_model.encoder.layers.0.mlp.fc1.weight",
        "visual_projection.weight",
    )
    for name in names:
        if name not in state:
            raise BadWeights(f"{file} lacks {name}; expected CLIP's vision tower, exported whole")
    patches, positions, feed_forward, projection = (state[name] for name in names)
    width, patch = patches.shape[0], patches.shape[-1]
    return {
        "hidden_size": width,
        "patch_size": patch,
        "image_size": isqrt(len(positions) - 1) * patch,
        "intermediate_size": feed_forward.shape[0],
        "num_hidden_layers": sum(name.endswith(".mlp.fc1.weight") for name in state),
        "num_attention_heads": max(1, width // _HEAD_WIDTH),
        "projection_dim": projection.shape[0],
    }


def _read_tensors(file: Path) -> dict[str, torch.Tensor]:
    """All tensors of the image encoder by transformers' names, in float32."""
    from onnx.numpy_helper import to_array

    graph = _read_graph(file)
    stored = {tensor.name: to_array(tensor) for tensor in graph.initializer}
    named = {name: array for name, array in stored.items() if name.startswith(_PREFIXES)}
    arrays = named | dict(_matrices(graph, stored))
    state = {name: torch.from_numpy(np.array(a, np.float32)) for name, a in arrays.items()}
    return finite(state, file)


def _read_graph(file: Path) -> Any:
    """Nodes and stored tensors of an ONNX file; nothing of it is run."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.load(file, load_external_data=False).graph
    except (OSError, DecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BadWeights(f"{file} is damaged or not ONNX ({reason}); copy it again") from error


def _matrices(graph: Any, stored: Mapping[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """The matrix of each product with a stored tensor, by the name of its layer."""
    for node in graph.node:
        if node.op_type in _PRODUCTS and node.input[1] in stored:
            layer = node.name.strip("/").split("/MatMul")[0].replace("/", ".")
            yield f"{layer}.weight", _full_precision(stored, node.input[1]).T


def _full_precision(stored: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """A matrix ``(in, out)`` in float32: as stored, or ``scale * (eight bits - zero point)``."""
    matrix = stored[name]
    if matrix.dtype == np.float32:
        return matrix
    base = name.removesuffix("_quantized")
    shifted = matrix.astype(np.float32) - stored[f"{base}_zero_point"].astype(np.float32)
    product: np.ndarray = shifted * stored[f"{base}_scale"]
    return product


ONNX_CLIP = TowerLibrary(_build, _load, _describe)

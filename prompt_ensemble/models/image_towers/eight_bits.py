"""An image tower in eight bits on a CPU, run by ONNX Runtime: three times as fast as in float32.

Activations are rounded by the range of values in the input. So images go in one by one, one to
each core, and an image's row does not depend on which others are in its batch.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from prompt_ensemble.core.errors import BadWeights

OUTPUT = "image_embeds"
"""The graph's output that holds the features."""
_EXACT_INSTRUCTIONS = ("avx512_vnni", "avx_vnni")
"""They add up products of eight bits without clipping; older instructions clip."""


def multiplies_exactly() -> bool:
    """Whether this processor adds up products of eight bits without clipping them."""
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any(known.get(name) for name in _EXACT_INSTRUCTIONS)


class EightBitTower(nn.Module):
    """Normalised pixels ``(B, 3, H, W)`` to ``(B, D)`` by the graph of an ONNX file.

    ``whole`` is the same network in full precision, for image sizes that the graph does not take.
    """

    def __init__(self, file: Path, size: int, whole: nn.Module) -> None:
        super().__init__()
        self.file = file
        self.size = size
        self.whole = whole

    @cached_property
    def session(self) -> Any:
        """The graph, ready to run."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # each core has an image of its own
        providers = ["CPUExecutionProvider"]
        try:
            return onnxruntime.InferenceSession(self.file, options, providers=providers)
        except Exception as error:  # ONNX Runtime's errors have no other class in common
            reason = " ".join(str(error).split())[:200]
            raise BadWeights(
                f"{self.file} cannot be run by ONNX Runtime ({reason}); "
                "copy it again, or set eight_bits = false"
            ) from error

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """One row of features for each image."""
        if pixels.shape[-2:] != (self.size, self.size):
            rows: torch.Tensor = self.whole(pixels)
            return rows
        images = np.split(pixels.contiguous().float().numpy(), len(pixels))
        assert self.session  # made here, not by several cores at once
        with ThreadPoolExecutor(torch.get_num_threads()) as cores:
            return torch.from_numpy(np.concatenate(list(cores.map(self._run, images))))

    def _run(self, image: np.ndarray) -> np.ndarray:
        """The row of one image."""
        name = self.session.get_inputs()[0].name
        rows: np.ndarray = self.session.run([OUTPUT], {name: image})[0]
        return rows

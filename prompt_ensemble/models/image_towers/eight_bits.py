"""A tower in eight bits on a CPU, by ONNX Runtime: three times as fast as in float32.

What is multiplied is rounded by the range of the picture at hand. So pictures go in one by one, one
to each core, and what comes out does not depend on which others are in a batch.
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
EXACT = ("avx512_vnni", "avx_vnni")
"""Instructions that add up products of eight bits without clipping; older ones clip."""


def multiplies_exactly() -> bool:
    """Whether this processor does."""
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any(known.get(name) for name in EXACT)


class EightBits(nn.Module):
    """Normalised pixels ``(B, 3, H, W)`` to ``(B, D)`` by the graph of a file.

    ``whole`` is the same network in full precision, for sizes that the graph is not made for.
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
        options.intra_op_num_threads = 1  # cores share pictures, not the parts of one
        providers = ["CPUExecutionProvider"]
        try:
            return onnxruntime.InferenceSession(self.file, options, providers=providers)
        except Exception as error:  # ONNX Runtime's own kinds have nothing else in common
            reason = " ".join(str(error).split())[:200]
            raise BadWeights(
                f"{self.file} cannot be run by ONNX Runtime ({reason}); "
                "copy it again, or set eight_bits = false"
            ) from error

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """One row an image."""
        if pixels.shape[-2:] != (self.size, self.size):
            rows: torch.Tensor = self.whole(pixels)
            return rows
        pictures = np.split(pixels.contiguous().float().numpy(), len(pixels))
        assert self.session  # made here, not by several cores at once
        with ThreadPoolExecutor(torch.get_num_threads()) as cores:
            return torch.from_numpy(np.concatenate(list(cores.map(self.run, pictures))))

    def run(self, picture: np.ndarray) -> np.ndarray:
        """One picture."""
        name = self.session.get_inputs()[0].name
        rows: np.ndarray = self.session.run([OUTPUT], {name: picture})[0]
        return rows

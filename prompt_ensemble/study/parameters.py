"""How many numbers a captioner's network consists of."""

from __future__ import annotations

import math
from pathlib import Path

from prompt_ensemble.members.captioners.caption_predictor import CaptionPredictor
from prompt_ensemble.members.captioners.tunable_captioner import TunableCaptioner
from prompt_ensemble.models.device import choose_placement


def count_parameters(predictor: CaptionPredictor) -> int | None:
    """Of the network, tied weights once; of other captioners what their file holds, if it tells."""
    if isinstance(predictor, TunableCaptioner):
        network = predictor.read(choose_placement("cpu")).model
        return sum(int(parameter.numel()) for parameter in network.parameters())
    files = sorted(predictor.path.glob("*.safetensors")) if predictor.path.is_dir() else []
    return sum(map(_count_in_file, files)) or None


def _count_in_file(path: Path) -> int:
    """Numbers in a file, from its header."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118

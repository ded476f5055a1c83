"""Arrays of a safetensors file without reading them: the file itself is their memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def map_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of the file, read-only; ``ValueError`` if it is not whole.

    They go through torch, whose tensors safetensors maps; its NumPy arrays are copies.
    """
    from safetensors import SafetensorError, safe_open

    path.stat()  # a missing file is an OSError, not one of safetensors
    try:
        with safe_open(path, framework="pt") as file:
            arrays = {name: file.get_tensor(name).numpy() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, TypeError) as error:
        raise ValueError(str(error)) from error
    for array in arrays.values():
        array.flags.writeable = False
    return arrays

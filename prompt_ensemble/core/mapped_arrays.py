"""Arrays of a safetensors file without reading them: the file itself is their memory."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from prompt_ensemble.core.records import as_object, parse_json

NUMPY_TYPES: dict[str, np.dtype[Any]] = {
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "I64": np.dtype("<i8"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
}
LENGTH_BYTES = 8
LONGEST_HEADER = 100 * 2**20


def map_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of the file, read-only views of it; ``ValueError`` if it is not whole."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        if length > LONGEST_HEADER:
            raise ValueError("it does not begin as a safetensors file does")
        header = parse_json(file.read(length))
    content = np.memmap(path, np.uint8, "r")
    start = LENGTH_BYTES + length
    try:
        return {
            name: map_array(content[start:], entry)
            for name, entry in as_object(header).items()
            if name != "__metadata__"
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its header is no safetensors header: {error!r}") from error


def map_array(content: np.ndarray, entry: dict[str, Any]) -> np.ndarray:
    """One array where its header entry says it lies."""
    kind = NUMPY_TYPES[str(entry["dtype"])]
    shape = tuple(int(side) for side in entry["shape"])
    start, end = (int(place) for place in entry["data_offsets"])
    if end > len(content) or end - start != kind.itemsize * math.prod(shape):
        raise ValueError("it is shorter than its header says")
    array: np.ndarray = content[start:end].view(np.ndarray).view(kind).reshape(shape)
    return array

"""Outputs: what a model made of each image, kept from before anything cheap is done with it.

A captioner leaves lines of text, a regressor vectors, retrieval both. They are what the store
keeps, so that other wording or another blend never runs a model again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np

from prompt_ensemble.core.errors import MismatchedIds
from prompt_ensemble.core.records import parse_json


@dataclass(frozen=True)
class Line:
    """One text about an image: its kind (``caption``, ``medium``, ``prompt`` …), text, score."""

    kind: str
    text: str
    score: float
    """What ranks lines of one kind: a log-likelihood or a cosine; higher is better."""


@dataclass(frozen=True, eq=False)
class Outputs:
    """Per image: lines, best first within a kind, and a float32 row, ``(N, W)``; W may be 0."""

    image_ids: tuple[str, ...]
    lines: tuple[tuple[Line, ...], ...]
    vectors: np.ndarray
    features: np.ndarray | None = None
    """``(N, F)`` float32: what a model saw before it judged, where another member needs it."""

    def __post_init__(self) -> None:
        rows = (len(self.lines), len(self.vectors))
        if rows != (len(self.image_ids),) * 2 or self.vectors.ndim != 2:
            raise MismatchedIds(
                f"outputs of {len(self.image_ids)} images hold {rows[0]} rows of lines and "
                f"vectors of shape {self.vectors.shape}; expected one of each per image"
            )
        if self.features is not None and len(self.features) != len(self.image_ids):
            raise MismatchedIds(
                f"outputs of {len(self.image_ids)} images hold {len(self.features)} rows of "
                "features; expected one per image"
            )

    @classmethod
    def of_lines(cls, image_ids: Sequence[str], lines: Sequence[Sequence[Line]]) -> Outputs:
        """Outputs of a model that only speaks."""
        empty = np.zeros((len(image_ids), 0), np.float32)
        return cls(tuple(image_ids), tuple(tuple(row) for row in lines), empty)

    @classmethod
    def of_vectors(
        cls, image_ids: Sequence[str], vectors: np.ndarray, features: np.ndarray | None = None
    ) -> Outputs:
        """Outputs of a model that only answers with vectors."""
        rows = np.asarray(vectors, np.float32)
        return cls(tuple(image_ids), ((),) * len(image_ids), rows, features)

    def __len__(self) -> int:
        return len(self.image_ids)

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Image id to its row."""
        return {image_id: number for number, image_id in enumerate(self.image_ids)}

    def take(self, image_ids: Sequence[str]) -> Outputs:
        """The outputs of these images, in this order."""
        absent = [image_id for image_id in image_ids if image_id not in self.row_of]
        if absent:
            raise MismatchedIds(f"no outputs for image {absent[0]!r}; run its model on it first")
        rows = [self.row_of[image_id] for image_id in image_ids]
        features = None if self.features is None else self.features[rows]
        lines = tuple(self.lines[row] for row in rows)
        return Outputs(tuple(image_ids), lines, self.vectors[rows], features)


def join(parts: Sequence[Outputs]) -> Outputs:
    """Outputs of one model on consecutive batches, as one."""
    if not parts:
        return Outputs((), (), np.zeros((0, 0), np.float32))
    features = [part.features for part in parts if part.features is not None]
    return Outputs(
        tuple(chain.from_iterable(part.image_ids for part in parts)),
        tuple(chain.from_iterable(part.lines for part in parts)),
        np.concatenate([part.vectors for part in parts]),
        np.concatenate(features) if len(features) == len(parts) else None,
    )


def to_bytes(outputs: Outputs) -> bytes:
    """One safetensors file; the same outputs give the same bytes."""
    from safetensors.numpy import save

    rows = [[[line.kind, line.text, line.score] for line in row] for row in outputs.lines]
    # A single metadata key: safetensors does not keep the order of several.
    text = json.dumps({"image_ids": outputs.image_ids, "lines": rows}, ensure_ascii=False)
    arrays = {"vectors": np.ascontiguousarray(outputs.vectors)}
    if outputs.features is not None:
        arrays["features"] = np.ascontiguousarray(outputs.features)
    return save(arrays, metadata={"outputs": text})


def from_bytes(content: bytes) -> Outputs:
    """What ``to_bytes`` wrote; ``ValueError`` or ``KeyError`` if it is anything else."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(content)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    header_length = int.from_bytes(content[:8], "little")
    metadata = parse_json(content[8 : 8 + header_length])["__metadata__"]
    (text,) = metadata.values()  # its name has changed once
    record = parse_json(text)
    lines = tuple(tuple(Line(*line) for line in row) for row in record["lines"])
    ids = tuple(record["image_ids"])
    return Outputs(ids, lines, arrays["vectors"], arrays.get("features"))

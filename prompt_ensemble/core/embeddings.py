"""Embeddings: vectors together with the ids of their images, joined by id wherever they meet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from prompt_ensemble.core.errors import BadWeights, MismatchedIds
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.records import parse_json

if TYPE_CHECKING:
    import pandas as pd

EMBEDDING_WIDTH = 384
"""Numbers in an all-MiniLM-L6-v2 sentence embedding."""
_ID_NAME = "image_id"
"""What the ids are called in a table."""
Encode = Callable[[Sequence[str]], np.ndarray]
"""Texts to ``(N, 384)`` float32 unit rows: the sentence encoder, loaded when first called."""


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length one, float32; a zero row stays zero (``check`` reports those)."""
    vectors = np.asarray(vectors, dtype=np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    unit: np.ndarray = (vectors * scale[:, None]).astype(np.float32)
    return unit


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Image ids and their vectors, ``(N, 384)`` float32 unit rows."""

    image_ids: tuple[str, ...]
    vectors: np.ndarray

    def __post_init__(self) -> None:
        expected = (len(self.image_ids), EMBEDDING_WIDTH)
        if self.vectors.shape != expected or self.vectors.dtype != np.float32:
            raise MismatchedIds(
                f"embeddings of {len(self.image_ids)} images must be {expected} float32, "
                f"not {self.vectors.shape} {self.vectors.dtype}"
            )
        if len(set(self.image_ids)) != len(self.image_ids):
            raise MismatchedIds(
                f"image id {first_duplicate(self.image_ids)!r} occurs twice in one set of "
                "embeddings; every image has exactly one row"
            )

    @classmethod
    def of(cls, image_ids: Iterable[str], vectors: np.ndarray) -> Embeddings:
        """Embeddings from rows of any length, which are scaled to length one."""
        return cls(tuple(image_ids), unit_rows(vectors))

    def __len__(self) -> int:
        return len(self.image_ids)

    def take(self, image_ids: Sequence[str]) -> Embeddings:
        """The same vectors in the order of ``image_ids``, each of which must be present."""
        row = {image_id: number for number, image_id in enumerate(self.image_ids)}
        absent = [image_id for image_id in image_ids if image_id not in row]
        if absent:
            raise MismatchedIds(
                f"{len(absent)} of {len(image_ids)} images have no embedding, first {absent[0]!r}; "
                "predict them too, or leave them out"
            )
        return Embeddings(tuple(image_ids), self.vectors[[row[i] for i in image_ids]])

    def to_frame(self) -> pd.DataFrame:
        """A table of one row an image: ids as its index, the vector's numbers as its columns."""
        import pandas as pd

        return pd.DataFrame(self.vectors, index=pd.Index(self.image_ids, name=_ID_NAME))

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Embeddings:
        """The rows of such a table, scaled to length one; its index, or a column, has the ids."""
        table = frame.set_index(_ID_NAME) if _ID_NAME in frame.columns else frame
        try:
            vectors = table.to_numpy(np.float32)
        except (TypeError, ValueError) as error:
            raise MismatchedIds(f"the table holds more than ids and numbers ({error})") from error
        broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(broken):
            raise MismatchedIds(
                f"the table's row of {table.index[broken[0]]!r} has no number in some column, or "
                "none that is finite"
            )
        return cls.of(map(str, table.index), vectors)

    def save(self, path: Path) -> None:
        """Write as one safetensors file: ``vectors``, and the ids in its metadata."""
        from safetensors.numpy import save

        metadata = {"image_ids": json.dumps(self.image_ids, ensure_ascii=False)}
        vectors = np.ascontiguousarray(self.vectors)
        write_atomically(path, save({"vectors": vectors}, metadata=metadata))

    @classmethod
    def load(cls, path: Path) -> Embeddings:
        """Read what ``save`` wrote."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                ids = parse_json((file.metadata() or {})["image_ids"])
                if not isinstance(ids, list) or not all(
                    isinstance(image_id, str) for image_id in ids
                ):
                    raise ValueError("image_ids is no list of texts")
                if not ids:
                    raise ValueError("no image is in it")
                return cls(tuple(ids), file.get_tensor("vectors"))
        except (SafetensorError, KeyError, ValueError, OSError) as error:
            raise BadWeights(
                f"{path} is not an embeddings file ({error}); expected safetensors with "
                "'vectors' and image ids, as 'prompt-ensemble embed --out' writes"
            ) from error


def first_duplicate(names: Iterable[str]) -> str:
    """The first name that repeats an earlier one; there must be one."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    raise ValueError("no name is repeated")

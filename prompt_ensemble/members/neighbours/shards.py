"""One file of a neighbour bank: prompts as one run of bytes, and their rows in fp16."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.records import FAULTS
from prompt_ensemble.data.mapped_arrays import map_arrays


@dataclass(frozen=True, eq=False)
class BankShard:
    """Mapped from the disk; nothing is read before it is used."""

    path: Path
    vectors: np.ndarray
    """Sentence embeddings, ``(R, 384)`` float16 unit rows."""
    keys: np.ndarray
    """What queries are compared with, ``(R, D)``: a tower's rows, or the embeddings themselves."""
    text: np.ndarray
    ends: np.ndarray
    """Where in ``text`` each prompt ends."""

    def __len__(self) -> int:
        return len(self.vectors)

    def prompt(self, row: int) -> str:
        """The prompt of a row."""
        start = int(self.ends[row - 1]) if row else 0
        return bytes(self.text[start : int(self.ends[row])]).decode()


def write_shard(
    path: Path, prompts: Sequence[str], vectors: np.ndarray, keys: np.ndarray | None
) -> None:
    """A shard as one safetensors file, whole or not at all."""
    from safetensors.numpy import save

    encoded = [prompt.encode() for prompt in prompts]
    content: dict[str, np.ndarray] = {
        "vectors": vectors.astype(np.float16),
        "text": np.frombuffer(b"".join(encoded), np.uint8),
        "ends": np.cumsum([len(prompt) for prompt in encoded], dtype=np.int64),
    }
    if keys is not None:
        content["keys"] = keys.astype(np.float16)
    write_atomically(path, save(content))


def map_shard(path: Path) -> BankShard:
    """The shard of a file, or one line saying what is wrong with it."""
    try:
        content = map_arrays(path)
        vectors, text, ends = content["vectors"], content["text"], content["ends"]
        shard = BankShard(path, vectors, content.get("keys", vectors), text, ends)
    except FAULTS as error:
        raise BadWeights(
            f"{path} is damaged ({error}); delete it and build the bank again, which keeps the rest"
        ) from error
    if len(shard.keys) != len(shard) or len(ends) != len(shard) or int(ends[-1]) != len(text):
        raise BadWeights(
            f"{path} holds rows and prompts of different number; delete it and build the bank "
            "again, which keeps the rest"
        )
    return shard

"""A bank of embeddings in four bits a number: ``bank.safetensors`` in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, unit_rows
from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.records import FAULTS
from prompt_ensemble.models.packed_rows import pack_four, unpack_four

BANK_FILE = "bank.safetensors"


@dataclass(frozen=True, eq=False)
class PackedBank:
    """Rows as they are stored."""

    codes: np.ndarray
    """``(N, 192)`` uint8."""
    scales: np.ndarray
    """``(N,)`` float16."""

    @classmethod
    def of(cls, vectors: np.ndarray) -> PackedBank:
        """Unit rows, packed."""
        return cls(*pack_four(np.asarray(vectors, np.float32)))

    def __len__(self) -> int:
        return len(self.codes)

    def rows(self) -> np.ndarray:
        """``(N, 384)`` float32 unit rows."""
        return unit_rows(unpack_four(self.codes, self.scales))

    def save(self, folder: Path) -> None:
        """Write the bank's file."""
        from safetensors.numpy import save

        arrays = {"codes": self.codes, "scales": self.scales}
        write_atomically(folder / BANK_FILE, save(arrays))

    @classmethod
    def load(cls, path: Path) -> PackedBank:
        """Read what ``save`` wrote, from a folder or the file itself."""
        from safetensors import SafetensorError, safe_open

        file = path / BANK_FILE if path.is_dir() else path
        try:
            with safe_open(file, framework="numpy") as stored:
                bank = cls(*(stored.get_tensor(name) for name in ("codes", "scales")))
            fits = bank.codes.dtype == np.uint8 and bank.codes.shape[1:] == (EMBEDDING_WIDTH // 2,)
            whole = bank.scales.shape == (len(bank),) and np.isfinite(bank.scales).all()
            if not (len(bank) and fits and whole):
                raise ValueError("its arrays do not fit together")
        except (SafetensorError, *FAULTS) as error:
            raise BadWeights(
                f"{file} is no bank of vectors ({error}); copy the whole folder again"
            ) from error
        return bank

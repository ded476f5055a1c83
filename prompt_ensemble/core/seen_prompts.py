"""Which prompts a model was trained on, without their texts: a Bloom filter of digests.

Each prompt sets ``_HASHES`` bits of the filter. A prompt whose bits are all set was almost surely
added: with 16 bits a prompt, 1 in 2,000 others passes by chance. So weights carry, in two bytes a
prompt, what it takes to notice that a validation set was trained on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.records import FAULTS

TRAINED_ON = "trained_on.safetensors"
"""Its name in the folder of a trained model."""
_BITS_PER_PROMPT = 16
_HASHES = 11
"""The best number for 16 bits a prompt: 16 · ln 2. False positives: 0.6185 ** 16 = 0.05%."""


@dataclass(frozen=True, eq=False)
class SeenPrompts:
    """The filter."""

    bits: np.ndarray
    """``(M,)`` bool."""
    prompts: int
    """Distinct prompts that were added."""

    @classmethod
    def of(cls, prompts: Iterable[str]) -> SeenPrompts:
        """The filter of these prompts; the same prompts in any order give the same bits."""
        distinct = sorted({_normalised(prompt) for prompt in prompts} - {""})
        bits = np.zeros(max(8, _BITS_PER_PROMPT * len(distinct)), bool)
        if distinct:
            bits[_places(distinct, len(bits))] = True
        return cls(bits, len(distinct))

    def contains(self, prompts: Sequence[str]) -> np.ndarray:
        """``(N,)`` bool: which of the prompts were, almost surely, added."""
        if not prompts:
            return np.zeros(0, bool)
        texts = [_normalised(prompt) for prompt in prompts]
        not_empty = np.array([bool(text) for text in texts])
        contained: np.ndarray = not_empty & self.bits[_places(texts, len(self.bits))].all(axis=1)
        return contained

    def save(self, path: Path) -> None:
        """Write as one safetensors file, eight bits a byte."""
        from safetensors.numpy import save

        # Not as metadata: safetensors writes its keys in another order each time.
        shape = np.array([len(self.bits), self.prompts, _HASHES])
        write_atomically(path, save({"bits": np.packbits(self.bits), "shape": shape}))

    @classmethod
    def load(cls, path: Path) -> SeenPrompts:
        """Read what ``save`` wrote."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                length, prompts, hashes = file.get_tensor("shape").tolist()
                if hashes != _HASHES or length < 1:
                    raise ValueError(f"{hashes} hashes into {length} bits, not {_HASHES}")
                packed = file.get_tensor("bits")
                if length > 8 * len(packed):
                    raise ValueError(f"{length} bits in {len(packed)} bytes")
                return cls(np.unpackbits(packed, count=length).astype(bool), prompts)
        except (SafetensorError, *FAULTS) as error:
            raise BadWeights(
                f"{path} does not say what a model was trained on ({error}); copy it again, or "
                "delete it to go without that check"
            ) from error


def _normalised(prompt: str) -> str:
    """A prompt in lower case with single spaces: neither makes it another prompt."""
    return " ".join(prompt.casefold().split())


def _places(texts: Sequence[str], length: int) -> np.ndarray:
    """``(N, _HASHES)`` places of each text's bits: two halves of a digest, added in steps."""
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts)
    halves = np.frombuffer(digests, "<u8").reshape(-1, 2)
    steps = np.arange(_HASHES, dtype=np.uint64)
    with np.errstate(over="ignore"):  # sums that wrap around are as good
        sums = halves[:, :1] + steps * (halves[:, 1:] | np.uint64(1))
    return (sums % np.uint64(length)).astype(np.int64)

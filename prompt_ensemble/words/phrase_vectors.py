"""Phrases of clip-interrogator with their vectors: what a prompt is composed of.

The vectors travel with the package, four bits a number; the phrases come from the installed
package, of which the file keeps the place of each phrase in its list and a digest of the list.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.records import FAULTS
from prompt_ensemble.data.phrase_lists import load_phrases
from prompt_ensemble.models.packed_rows import pack_four, unpack_four

PHRASES_FILE = "phrases.safetensors"


@dataclass(frozen=True, eq=False)
class PhraseVectors:
    """Phrases and their unit rows."""

    phrases: tuple[str, ...]
    vectors: np.ndarray
    """``(N, 384)`` float32."""

    def __len__(self) -> int:
        return len(self.phrases)


def save_phrase_vectors(chosen: dict[str, np.ndarray], vectors: np.ndarray, folder: Path) -> None:
    """Write places of the ``chosen`` phrases of each list, and their vectors in that order."""
    from safetensors.numpy import save

    codes, scales = pack_four(vectors)
    arrays = {"codes": codes, "scales": scales}
    for name, places in chosen.items():
        arrays[f"places.{name}"] = places.astype(np.int32)
        arrays[f"digest.{name}"] = _digest(name)
    write_atomically(folder / PHRASES_FILE, save(dict(sorted(arrays.items()))))


def load_phrase_vectors(folder: Path) -> PhraseVectors:
    """Read what ``save_phrase_vectors`` wrote; the lists must be the ones it was made of."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    file = folder / PHRASES_FILE
    phrases: list[str] = []
    try:
        arrays = load_file(file)
        for name in sorted(key.removeprefix("places.") for key in arrays if "places." in key):
            if (arrays[f"digest.{name}"] != _digest(name)).any():
                raise ValueError(
                    f"clip-interrogator's list of {name} is not the one it was made of; "
                    "install clip-interrogator 0.6.0"
                )
            listed = load_phrases(name).phrases
            places = arrays[f"places.{name}"].tolist()
            phrases += [listed[place] for place in places]
        vectors = unit_rows(unpack_four(arrays["codes"], arrays["scales"]))
        if len(vectors) != len(phrases):
            raise ValueError(f"{len(phrases)} phrases have {len(vectors)} vectors")
    except (SafetensorError, *FAULTS) as error:
        raise BadWeights(f"{file} holds no phrase vectors ({error}); copy it again") from error
    return PhraseVectors(tuple(phrases), vectors)


def _digest(name: str) -> np.ndarray:
    """The list's SHA-256 as numbers."""
    return np.frombuffer(bytes.fromhex(load_phrases(name).digest), np.uint8)

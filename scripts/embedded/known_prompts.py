"""Real prompts of many people: cleaned of what is judged, embedded once, packed for the package.

Of these prompts only vectors travel, four bits a number, and a writer that learnt from them; their
texts stay where they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prompt_ensemble.core.embeddings import Encode
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.text_faults import words
from prompt_ensemble.data.exact_index import far_from
from prompt_ensemble.data.phrase_lists import load_phrases
from prompt_ensemble.models.packed_bank import PackedBank
from prompt_ensemble.words.phrase_vectors import save_phrase_vectors

BANK_ROWS = 65_536
FLAVORS = 20_000
FEWEST_TIMES = 5
"""Known prompts that a word of a flavor must be in."""
WHOLE_LISTS = ("artists", "mediums", "movements")


@dataclass(frozen=True, eq=False)
class KnownPrompts:
    """Texts and their unit rows."""

    texts: tuple[str, ...]
    vectors: np.ndarray


def known_prompts(
    files: Sequence[Path], judged: Sequence[str], encode: Encode, folder: Path
) -> KnownPrompts:
    """The distinct lines of these files that are near to no judged prompt; kept in ``folder``."""
    kept_texts, kept_vectors = folder / "prompts.txt", folder / "vectors.npy"
    if kept_texts.is_file() and kept_vectors.is_file():
        texts = kept_texts.read_text(encoding="utf-8").splitlines()
        return KnownPrompts(tuple(texts), np.load(kept_vectors))
    if not files:
        raise BadConfig(f"{folder} holds no known prompts; run 'make tune-embedded' first")
    texts = distinct_lines(files)
    vectors = encode(texts)
    rows = far_from(vectors, encode(sorted(set(judged))))
    kept = KnownPrompts(tuple(texts[row] for row in rows.tolist()), vectors[rows])
    folder.mkdir(parents=True, exist_ok=True)
    np.save(kept_vectors, kept.vectors)
    write_atomically(kept_texts, "".join(f"{text}\n" for text in kept.texts))
    return kept


def distinct_lines(files: Sequence[Path]) -> list[str]:
    """Lines of all files in their order, those that differ only in capitals and blanks once."""
    distinct: dict[str, str] = {}
    for file in sorted(files):
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.strip():
                distinct.setdefault(" ".join(line.casefold().split()), line.strip())
    return list(distinct.values())


def pack_bank(known: KnownPrompts, folder: Path, seed: int = 0) -> PackedBank:
    """A random share of the known prompts as the bank that votes."""
    order = np.random.default_rng(seed).permutation(len(known.vectors))
    rows = np.sort(order[:BANK_ROWS])
    bank = PackedBank.of(known.vectors[rows])
    bank.save(folder)
    return bank


def pack_phrases(known: KnownPrompts, encode: Encode, folder: Path) -> int:
    """All mediums, artists and movements, and the flavors that are near to known prompts.

    A flavor counts by how many prompts of a sample it is among the nearest 64 flavors of; one with
    a word that hardly any known prompt has, often two that lost their blank, does not.
    """
    flavors = load_phrases("flavors").phrases
    vectors = encode(flavors)
    sample = known.vectors[:: max(1, len(known.vectors) // 8192)]
    counts = np.zeros(len(flavors), np.int64)
    for start in range(0, len(sample), 512):
        cosines = sample[start : start + 512] @ vectors.T
        nearest = np.argpartition(-cosines, 64, axis=1)[:, :64]
        counts += np.bincount(nearest.ravel(), minlength=len(flavors))
    said = Counter(word for text in known.texts for word in set(words(text)))
    sound = np.array(
        [_is_plain(p) and all(said[word] >= FEWEST_TIMES for word in words(p)) for p in flavors]
    )
    chosen = np.sort(np.argsort(-counts * sound, kind="stable")[:FLAVORS])
    places = {name: np.arange(len(load_phrases(name).phrases)) for name in WHOLE_LISTS}
    places["flavors"] = chosen
    parts = [
        vectors[chosen] if name == "flavors" else encode(load_phrases(name).phrases)
        for name in sorted(places)
    ]
    save_phrase_vectors(places, np.concatenate(parts), folder)
    return sum(len(rows) for rows in places.values())


def _is_plain(phrase: str) -> bool:
    """Whether a phrase is a few words of letters, as one would write it in a prompt."""
    words = phrase.split()
    letters = phrase.replace(" ", "").replace("-", "").replace("'", "")
    return phrase.isascii() and letters.isalpha() and len(words) <= 5

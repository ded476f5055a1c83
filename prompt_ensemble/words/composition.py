"""Composition: sentences grow by phrases as long as that brings them nearer to the target.

A text and a phrase put together lie near ``e + a * p``, with e and p their embeddings and a the
phrase's part in the whole. So products of vectors choose a few phrases of many thousand, and only
texts made with those are embedded: once a round, for all images together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from prompt_ensemble.core.embeddings import Encode
from prompt_ensemble.core.text_faults import is_repetitive
from prompt_ensemble.words.phrase_vectors import PhraseVectors

_PART = 0.4
"""What a phrase weighs beside the text that it is added to."""
_ROUNDING = 1e-4
"""Scores this near are equal, whatever the processor's last bits: the earlier text stays."""


@dataclass(frozen=True)
class Composed:
    """A text on its way."""

    text: str
    vector: np.ndarray


def grow(
    starts: Sequence[Composed],
    targets: np.ndarray,
    phrases: PhraseVectors,
    encode: Encode,
    *,
    rounds: int,
    tried: int,
    gain: float,
) -> list[Composed]:
    """Each image's text with up to ``rounds`` phrases added, where one brings ``gain`` at least.

    ``tried`` phrases are put to the test for each image and round; there is a start for each row
    of the ``targets``.
    """
    current = list(starts)
    growing = list(range(len(current)))
    to_target = targets @ phrases.vectors.T
    for _ in range(rounds):
        if not growing:
            break
        promising = _promising(
            np.stack([current[row].vector for row in growing]),
            targets[growing], to_target[growing], phrases, 8 * tried,
        )  # fmt: skip
        texts = [
            _longer(current[row], [phrases.phrases[number] for number in numbers], tried)
            for row, numbers in zip(growing, promising.tolist(), strict=True)
        ]
        vectors = encode([text for row in texts for text in row])
        still, at = [], 0
        for row, longer in zip(growing, texts, strict=True):
            found = vectors[at : at + len(longer)]
            at += len(longer)
            better = _best(current[row], longer, found, targets[row], gain)
            if better is not None:
                current[row] = better
                still.append(row)
        growing = still
    return current


def _promising(
    texts: np.ndarray,
    targets: np.ndarray,
    to_target: np.ndarray,
    phrases: PhraseVectors,
    count: int,
) -> np.ndarray:
    """``(R, count)`` numbers of the phrases that promise most for each text, best first."""
    together = np.einsum("ij,ij->i", texts, targets)[:, None] + _PART * to_target
    lengths = np.sqrt(1 + 2 * _PART * (texts @ phrases.vectors.T) + _PART**2)
    # Whole numbers that are equal on every processor; of equal promises the first phrase's is more.
    places = np.arange(len(phrases.phrases))
    promise = np.rint(together / lengths * 1e4).astype(np.int64) * len(places) - places
    count = min(count, len(places))
    best = np.argpartition(-promise, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(promise, best, axis=1), axis=1)
    found: np.ndarray = np.take_along_axis(best, order, axis=1)
    return found


def _longer(start: Composed, promising: Sequence[str], tried: int) -> list[str]:
    """The text with each of the first few phrases that repeat none of its words."""
    said = set(start.text.lower().replace(",", " ").split())
    fresh = (phrase for phrase in promising if not said & _telling(phrase))
    texts = (", ".join(filter(None, (start.text, phrase))) for phrase in fresh)
    return list(islice((text for text in texts if not is_repetitive(text)), tried))


def _telling(phrase: str) -> set[str]:
    """The words of a phrase that should not come twice: all but the shortest."""
    return {word for word in phrase.lower().split() if len(word) > 3}


def _best(
    start: Composed, texts: Sequence[str], vectors: np.ndarray, target: np.ndarray, gain: float
) -> Composed | None:
    """The first of the best longer texts, if it is better by ``gain``."""
    if not texts:
        return None
    cosines = vectors @ target
    number = int((cosines >= cosines.max() - _ROUNDING).argmax())
    more = float(cosines[number]) - float(start.vector @ target)
    if more < gain:
        return None
    return Composed(texts[number], vectors[number])

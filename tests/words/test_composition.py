"""Growing sentences by phrases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tiny_writer import rows

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.words.composition import Composed, grow
from prompt_ensemble.words.phrase_vectors import PhraseVectors

WORDS = ("cat", "sofa", "night", "castle", "storm", "sunlight", "robot", "flower")
VECTOR_OF = dict(zip(WORDS, rows(len(WORDS)), strict=True))
PHRASES = PhraseVectors(WORDS, rows(len(WORDS)))


def encode(texts: Sequence[str]) -> np.ndarray:
    """A text's row is the mean of its words' rows."""
    means = [np.sum([VECTOR_OF[w] for w in t.replace(",", "").split()], axis=0) for t in texts]
    return unit_rows(np.stack(means))


def grown(target: str, *, rounds: int = 3, gain: float = 0.005) -> str:
    start = Composed("cat", VECTOR_OF["cat"])
    targets = encode([target])
    (found,) = grow([start], targets, PHRASES, encode, rounds=rounds, tried=3, gain=gain)
    return found.text


def test_phrases_of_the_target_are_added() -> None:
    assert sorted(grown("cat night storm").split(", ")) == ["cat", "night", "storm"]


def test_nothing_is_added_that_leads_away() -> None:
    assert grown("cat") == "cat"


def test_no_more_phrases_than_rounds() -> None:
    assert len(grown("cat night storm robot", rounds=1).split(", ")) == 2


def test_a_phrase_must_be_worth_its_gain() -> None:
    assert grown("cat night storm", gain=0.9) == "cat"


def test_words_are_not_said_twice() -> None:
    repeated = PhraseVectors((*WORDS, "night sky"), rows(9))
    start = Composed("night", VECTOR_OF["night"])
    found = grow([start], encode(["night"]), repeated, encode, rounds=2, tried=9, gain=-1.0)
    assert "night sky" not in found[0].text


def test_an_image_grows_alike_alone_and_beside_others() -> None:
    starts = [Composed(word, VECTOR_OF[word]) for word in WORDS[:4]]
    targets = encode(["cat night", "sofa storm robot", "night", "castle flower"])
    together = grow(starts, targets, PHRASES, encode, rounds=3, tried=3, gain=0.005)
    alone = [
        grow([start], targets[row : row + 1], PHRASES, encode, rounds=3, tried=3, gain=0.005)[0]
        for row, start in enumerate(starts)
    ]
    assert [one.text for one in together] == [one.text for one in alone]

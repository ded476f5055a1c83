"""Phrases with their vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_writer import rows

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.data.phrase_lists import PhraseList, load_phrases
from prompt_ensemble.words import phrase_vectors
from prompt_ensemble.words.phrase_vectors import load_phrase_vectors, save_phrase_vectors


def save(folder: Path) -> np.ndarray:
    vectors = rows(5)
    save_phrase_vectors(
        {"mediums": np.array([0, 3]), "movements": np.array([1, 2, 7])}, vectors, folder
    )
    return vectors


def test_phrases_come_from_the_installed_lists(tmp_path: Path) -> None:
    vectors = save(tmp_path)
    loaded = load_phrase_vectors(tmp_path)
    mediums, movements = (load_phrases(name).phrases for name in ("mediums", "movements"))
    assert loaded.phrases == (mediums[0], mediums[3], *(movements[n] for n in (1, 2, 7)))
    assert (np.einsum("ij,ij->i", loaded.vectors, vectors) > 0.98).all()


def test_another_version_of_a_list_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path)
    monkeypatch.setattr(phrase_vectors, "load_phrases", lambda name: PhraseList(name, ("oil",) * 9))
    with pytest.raises(BadWeights, match="not the one it was made of"):
        load_phrase_vectors(tmp_path)

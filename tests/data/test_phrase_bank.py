"""Banks that are kept, found again, and never used when they should not be."""

import numpy as np
import pytest

from prompt_ensemble.data import phrase_bank
from prompt_ensemble.data.phrase_bank import bank_path, open_bank
from prompt_ensemble.data.phrase_lists import PhraseList

PHRASES = PhraseList("mine", ("oil", "ink", "chalk"))


class CountingEncoder:
    def __init__(self):
        self.calls = 0

    def __call__(self, texts):
        self.calls += 1
        return np.array([[len(text), ord(text[0])] for text in texts], np.float32)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMPT_ENSEMBLE_CACHE", str(tmp_path))


def test_a_bank_is_embedded_once():
    encoder = CountingEncoder()
    first, second = (open_bank(PHRASES, "encoder", encoder) for _ in range(2))
    assert encoder.calls == 1
    assert np.array_equal(first.vectors, second.vectors)


@pytest.mark.parametrize(
    ("phrases", "encoder_digest"),
    [(PhraseList("mine", ("oil", "ink")), "encoder"), (PHRASES, "another")],
    ids=["list", "encoder"],
)
def test_another_list_or_encoder_is_another_bank(phrases, encoder_digest):
    encoder = CountingEncoder()
    open_bank(PHRASES, "encoder", encoder)
    open_bank(phrases, encoder_digest, encoder)
    assert encoder.calls == 2


@pytest.mark.parametrize("damage", ["empty", "cut", "rows", "nan"])
def test_a_damaged_bank_is_made_again(damage, caplog):
    from safetensors.numpy import save_file

    encoder = CountingEncoder()
    whole = open_bank(PHRASES, "encoder", encoder)
    path = bank_path(PHRASES, "encoder")
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-4])
    elif damage == "rows":
        save_file({"vectors": whole.vectors[:2].copy()}, path)
    else:
        save_file({"vectors": whole.vectors * np.float32("nan")}, path)
    again = open_bank(PHRASES, "encoder", encoder)
    assert encoder.calls == 2
    assert "made again" in caplog.text
    assert np.array_equal(again.vectors, whole.vectors)


def test_a_cache_that_cannot_be_written_stops_nobody(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("PROMPT_ENSEMBLE_CACHE", str(tmp_path / "file"))
    assert len(open_bank(PHRASES, "encoder", CountingEncoder()).vectors) == 3


def test_a_long_list_goes_on_where_it_was_stopped(monkeypatch, tmp_path):
    monkeypatch.setattr(phrase_bank, "_PHRASES_PER_SHARD", 2)
    encoder, phrases = CountingEncoder(), PhraseList("mine", ("oil", "ink", "chalk", "wax", "pen"))

    def stopped(texts):
        if encoder.calls == 2:
            raise KeyboardInterrupt
        return encoder(texts)

    with pytest.raises(KeyboardInterrupt):
        open_bank(phrases, "encoder", stopped)
    bank = open_bank(phrases, "encoder", encoder)
    assert encoder.calls == 3
    assert np.array_equal(bank.vectors, CountingEncoder()(phrases.phrases))
    assert [file.name for file in bank_path(phrases, "encoder").parent.iterdir()] == [
        bank_path(phrases, "encoder").name
    ]

"""Digests that are computed once, and weights that are checked by them."""

import os
import shutil

import pytest

from prompt_ensemble.core import digests
from prompt_ensemble.core.digests import remembered_digest
from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.core.files import cache_folder, file_digest
from prompt_ensemble.models.weights import WeightRoots, embedded_folder


@pytest.fixture
def reads(monkeypatch, tmp_path):
    """Files whose bytes were read, with an empty memory."""
    monkeypatch.setenv("PROMPT_ENSEMBLE_CACHE", str(tmp_path / "cache"))
    read = []

    def noting(path):
        read.append(path)
        return file_digest(path)

    monkeypatch.setattr(digests, "file_digest", noting)
    return read


def test_a_file_is_read_once_and_again_when_it_changes(tmp_path, reads):
    path = tmp_path / "w.bin"
    path.write_bytes(b"one")
    assert remembered_digest(path) == remembered_digest(path) == file_digest(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert remembered_digest(path) == file_digest(path)
    assert reads == [path, path]


@pytest.mark.parametrize("memory", ["", "[]", '{"x": 3}', "[" * 100_000])
def test_a_damaged_memory_is_made_again(tmp_path, reads, memory):
    (tmp_path / "w.bin").write_bytes(b"one")
    cache_folder().mkdir()
    (cache_folder() / digests.MEMORY).write_text(memory)
    assert remembered_digest(tmp_path / "w.bin") == file_digest(tmp_path / "w.bin")
    assert remembered_digest(tmp_path / "w.bin") == file_digest(tmp_path / "w.bin")
    assert len(reads) == 1


def test_a_cache_that_cannot_be_written_to_costs_only_time(tmp_path, reads, monkeypatch):
    (tmp_path / "w.bin").write_bytes(b"one")
    (tmp_path / "file").touch()
    monkeypatch.setenv("PROMPT_ENSEMBLE_CACHE", str(tmp_path / "file"))
    assert remembered_digest(tmp_path / "w.bin") == file_digest(tmp_path / "w.bin")


def test_a_flipped_bit_in_weights_that_the_manifest_knows_is_refused(tmp_path):
    folder = shutil.copytree(embedded_folder() / "embedded-lite0", tmp_path / "embedded-lite0")
    roots = WeightRoots((tmp_path,))
    assert roots.find("embedded-lite0").path == folder
    content = bytearray((folder / "regressor.safetensors").read_bytes())
    content[-7] ^= 1
    (folder / "regressor.safetensors").write_bytes(content)
    with pytest.raises(BadWeights, match="differs from the manifest's sha256"):
        roots.find("embedded-lite0")

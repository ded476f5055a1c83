"""Inputs are found by what they hold, wherever Kaggle mounts them."""

import pytest

from prompt_ensemble.core.errors import MissingInput
from prompt_ensemble.kaggle.machine import Machine

OLD = "input/stable-diffusion-image-to-prompts"
NEW = "input/competitions/stable-diffusion-image-to-prompts"


@pytest.mark.parametrize("mount", [OLD, NEW])
def test_a_competition_is_found_under_either_layout(tmp_path, mount):
    (tmp_path / mount).mkdir(parents=True)
    (tmp_path / mount / "sample_submission.csv").touch()
    assert Machine(tmp_path).find("sample_submission.csv", "data") == tmp_path / mount


def test_what_is_missing_is_said_beside_what_is_mounted(tmp_path):
    (tmp_path / "input" / "something").mkdir(parents=True)
    with pytest.raises(MissingInput, match=r"data not found: .*input/something; add it"):
        Machine(tmp_path).find("sample_submission.csv", "data")


def test_the_machine_can_be_moved(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMPT_ENSEMBLE_KAGGLE", str(tmp_path))
    assert Machine.here().working == tmp_path / "working"


@pytest.mark.parametrize("mount", ["input/kernel", "input/notebooks/me/kernel"])
def test_a_stopped_runs_shards_are_taken_over(tmp_path, mount):
    shard = tmp_path / mount / "run" / "store" / "one" / "abc.safetensors"
    shard.parent.mkdir(parents=True)
    shard.write_bytes(b"found")
    run = Machine(tmp_path).continue_run()
    assert (run / "store" / "one" / "abc.safetensors").read_bytes() == b"found"


def test_without_an_earlier_run_there_is_nothing_to_take_over(tmp_path):
    (tmp_path / "input").mkdir()
    assert not (Machine(tmp_path).continue_run() / "store").exists()

"""The submission kernel's work, in this process, with a tiny member."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from broken_images import write_broken_images
from colour_member import OpenedColour
from conftest import paint_photos
from tiny_blend import a_blend

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.submission import read_submission, submission_ids, write_submission
from prompt_ensemble.kaggle.machine import Machine
from prompt_ensemble.kaggle.submitting import ensemble, main, submit
from prompt_ensemble.run import store

pytestmark = pytest.mark.usefixtures("colour")
COMPETITION = "input/competitions/stable-diffusion-image-to-prompts"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A competition of twelve pictures, its sample in an order of its own."""
    monkeypatch.setattr(store, "SHARD_IMAGES", 4)
    folder = tmp_path / "kaggle" / COMPETITION
    folder.mkdir(parents=True)
    paint_photos(folder / "images", 12)
    ids = [f"photo{number:02}" for number in reversed(range(12))]
    sample = Embeddings(tuple(ids), np.ones((12, EMBEDDING_WIDTH), np.float32))
    write_submission(folder / "sample_submission.csv", sample, ids)
    (tmp_path / "kaggle" / "working").mkdir()
    return Machine(tmp_path / "kaggle")


@pytest.fixture
def preset(tmp_path):
    prior = Embeddings.of(["prior"], np.arange(1.0, EMBEDDING_WIDTH + 1)[None])
    prior.save(tmp_path / "prior.safetensors")
    path = tmp_path / "mine.toml"
    path.write_text(
        f'prior = "{tmp_path / "prior.safetensors"}"\n'
        '[[members]]\nname = "one"\nmodel = "colour"\nbatch_size = 4\n'
    )
    return str(path)


def test_rows_are_in_the_samples_order(machine, preset):
    path = submit(preset, "1h", machine)
    assert path == machine.working / "submission.csv"
    assert submission_ids(path) == tuple(f"photo{number:02}" for number in reversed(range(12)))


def test_the_scoring_runs_own_images_are_what_counts(machine, preset, caplog):
    images = machine.input / "competitions/stable-diffusion-image-to-prompts/images"
    (images / "photo00.png").rename(images / "hidden.png")
    with caplog.at_level(logging.WARNING):
        path = submit(preset, "1h", machine)
    assert submission_ids(path) == tuple(
        sorted(["hidden", *(f"photo{number:02}" for number in range(1, 12))])
    )
    assert "lists other images" in caplog.text


def test_unreadable_images_get_the_prior(machine, preset):
    images = machine.input / "competitions/stable-diffusion-image-to-prompts/images"
    bad = write_broken_images(images)
    prior = np.arange(1.0, EMBEDDING_WIDTH + 1)
    found = read_submission(submit(preset, "1h", machine)).take(bad)
    assert np.allclose(found.vectors, prior / np.linalg.norm(prior), atol=1e-6)


def test_a_killed_kernel_goes_on_from_its_mounted_output(machine, preset, tmp_path, monkeypatch):
    undisturbed = submit(preset, "1h", machine).read_bytes()
    shutil.rmtree(machine.working)
    look, seen = OpenedColour.run, []

    def die_in_the_third_batch(self, batch):
        seen.append(batch.image_ids)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return look(self, batch)

    monkeypatch.setattr(OpenedColour, "run", die_in_the_third_batch)
    with pytest.raises(KeyboardInterrupt):
        submit(preset, "1h", machine)
    monkeypatch.setattr(OpenedColour, "run", look)
    shutil.move(machine.working, machine.input / "notebooks/me/prompt-ensemble-submission")
    looked = []
    monkeypatch.setattr(
        OpenedColour, "run", lambda s, batch: (looked.extend(batch.image_ids), look(s, batch))[1]
    )
    assert submit(preset, "1h", machine).read_bytes() == undisturbed
    assert looked == [f"photo{number:02}" for number in range(8, 12)]


def test_a_killed_kernel_has_left_something_to_submit(machine, preset, monkeypatch):
    monkeypatch.setattr(OpenedColour, "run", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        submit(preset, "1h", machine)
    assert len(read_submission(machine.working / "submission.csv")) == 12


def test_what_is_not_mounted_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PROMPT_ENSEMBLE_KAGGLE", str(tmp_path))
    assert main("embedded", "1h") == 1
    error = capsys.readouterr().err
    assert error.startswith("error: the competition's data not found")
    assert error.count("\n") == 1


def test_what_was_ready_before_an_error_is_submitted(machine, preset, monkeypatch, capsys):
    monkeypatch.setenv("PROMPT_ENSEMBLE_KAGGLE", str(machine.root))

    def fails(*_):
        raise BadConfig("this cannot be")

    monkeypatch.setattr(OpenedColour, "run", fails)
    assert main(preset, "1h") == 0
    printed = capsys.readouterr()
    assert "error: this cannot be" in printed.err
    assert "can be submitted" in printed.out
    assert len(read_submission(machine.working / "submission.csv")) == 12


def two_members(preset: str, tmp_path) -> str:
    path = tmp_path / "two.toml"
    path.write_text(Path(preset).read_text() + '[[members]]\nname = "two"\nmodel = "colour"\n')
    return str(path)


@pytest.mark.parametrize(("tuned", "used"), [({"two": 1.0}, True), ({"strange": 1.0}, False)])
def test_a_mounted_blend_is_used_if_it_is_of_these_members(
    machine, preset, tmp_path, caplog, tuned, used
):
    folder = machine.input / "notebooks" / "me" / "tuned"
    folder.mkdir(parents=True)
    a_blend(tuned).save(folder / "blend.json")
    with caplog.at_level(logging.WARNING):
        config = ensemble(two_members(preset, tmp_path), machine)
    assert config.blend_weights == (tuned if used else {"one": 1.0, "two": 1.0})
    assert ("are not used" in caplog.text) is not used

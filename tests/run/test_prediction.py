"""What a run answers in words: as a table, in a notebook, beside the images."""

import csv
import re

import numpy as np
import pytest
from PIL import Image
from worded_run import HOSTILE, worded

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings
from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.run.blend_weights import BlendWeights
from prompt_ensemble.run.config import MemberConfig, RunConfig
from prompt_ensemble.run.ensemble import load_ensemble
from prompt_ensemble.run.member_run import MemberResult
from prompt_ensemble.run.prediction import Prediction, Prompt
from prompt_ensemble.run.results import write_results

pytestmark = pytest.mark.usefixtures("colour")


def test_the_prompt_of_an_image_is_the_first_of_its_lines(photos):
    prompts = worded(photos).prompts
    assert prompts["photo01"] == Prompt("a cat number 1", pytest.approx(0.11))
    assert "photo11" not in prompts
    assert len(prompts) == 11


def test_the_table_begins_with_the_prompt_and_its_trust(photos, tmp_path):
    write_results(worded(photos), tmp_path)
    with (tmp_path / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["image_id", "prompt", "trust", "one", "two", "seconds", "problem"]
    assert (rows[1]["prompt"], rows[1]["trust"]) == ("a cat number 1", "0.1100")
    assert (rows[2]["prompt"], rows[11]["prompt"], rows[11]["trust"]) == (HOSTILE, "", "")


def test_a_member_called_like_another_column_keeps_its_own():
    result = MemberResult(
        Outputs.of_lines(["a"], [[Line("caption", "a cat", 1.0)]]), {},
        Embeddings.of(["a"], np.ones((1, EMBEDDING_WIDTH))), np.ones(1), 0,
    )  # fmt: skip
    config = RunConfig("test", (MemberConfig("prompt", "colour"),))
    album = load_ensemble(config, device="cpu").survey({"a": Image.new("RGB", (4, 4))})
    prediction = Prediction(
        result.embeddings, {"prompt": result}, album, config, BlendWeights.of(config),
        choose_placement("cpu"), 1.0, words=Outputs.of_lines(["a"], [[Line("prompt", "an ox", 1)]]),
    )  # fmt: skip
    row = prediction.to_frame().iloc[0]
    assert (row["prompt"], row["prompt (member)"]) == ("an ox", "caption: a cat")


def test_a_notebook_shows_prompts_as_they_are(photos):
    shown = worded(photos)._repr_html_()
    assert "a cat number 1" in shown
    assert "<b id=" not in shown and "<script" not in shown


def test_a_prediction_says_what_it_is_in_one_line(photos):
    assert re.fullmatch(
        r"Prediction\(12 images, preset 'colours': one, two; [\d.]+ s\)", repr(worded(photos))
    )


def texts_in(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_sidecars_lie_as_the_images_lie(tmp_path):
    for name in ("cats/a.v1.png", "cats/small/b.png", "c.png", "z.png"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(path)
    before = sorted((tmp_path / "images").rglob("*"))
    write_results(worded(tmp_path / "images"), tmp_path / "out", sidecars=True)
    assert texts_in(tmp_path / "out" / "sidecars") == {
        "cats/a.v1.txt": "a cat number 0\n",
        "cats/small/b.txt": "a cat number 1\n",
        "c.txt": HOSTILE + "\n",
    }
    assert sorted((tmp_path / "images").rglob("*")) == before


def test_sidecars_of_pictures_stay_in_their_folder(tmp_path):
    picture = Image.new("RGB", (4, 4))
    names = ("../up", "/tmp/down", "in/here", "~z")
    write_results(worded(dict.fromkeys(names, picture)), tmp_path, sidecars=True)
    assert set(texts_in(tmp_path / "sidecars")) == {"__/up.txt", "_/tmp/down.txt", "in/here.txt"}


def test_sidecars_are_written_only_where_they_are_wanted(photos, tmp_path):
    write_results(worded(photos), tmp_path)
    assert not (tmp_path / "sidecars").exists()


def test_an_album_knows_the_folders_it_is_from(photos):
    with load_ensemble(RunConfig("nobody", ()), device="cpu") as ensemble:
        assert ensemble.survey([photos]).folders == (photos,)
        assert ensemble.survey(photos / "photo01.png").folders == ()
        assert ensemble.survey(np.zeros((2, 2, 3), np.uint8)).folders == ()

"""Whole runs with a tiny member."""

import csv
import json

import numpy as np
import pytest
from broken_images import write_broken_images
from colour_member import colour_ensemble

from prompt_ensemble.cli.main import main
from prompt_ensemble.core.blend import blend
from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings
from prompt_ensemble.core.errors import BadConfig, UnreadableImage
from prompt_ensemble.core.seen_prompts import SeenPrompts
from prompt_ensemble.core.submission import check_submission
from prompt_ensemble.run.config import MemberConfig, RunConfig
from prompt_ensemble.run.ensemble import predict

pytestmark = pytest.mark.usefixtures("colour")


def ensemble(*members: MemberConfig, prior: str = "") -> RunConfig:
    return RunConfig("test", members, prior=prior)


def member(name: str, weight: float = 1.0, **options) -> MemberConfig:
    return MemberConfig(name, "colour", weight=weight, batch_size=4, options=options)


def test_a_run_is_the_blend_of_its_members(photos, tmp_path):
    prediction = predict(photos, tmp_path / "out", config=colour_ensemble())
    parts = {name: result.embeddings for name, result in prediction.members.items()}
    expected = blend(parts, {"one": 0.75, "two": 0.25})
    assert np.array_equal(prediction.embeddings.vectors, expected.vectors)


def test_what_is_written_passes_its_check(photos, tmp_path):
    prediction = predict(photos, tmp_path, config=colour_ensemble())
    assert check_submission(tmp_path / "submission.csv", prediction.album.image_ids) == []


def test_the_table_has_a_row_for_every_image_and_says_what_was_said(photos, tmp_path):
    predict(photos, tmp_path, config=colour_ensemble())
    with (tmp_path / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["image_id"] for row in rows] == [f"photo{n:02}" for n in range(12)]
    assert all(row["one"].startswith("colour: ") and float(row["seconds"]) >= 0 for row in rows)


def test_the_record_says_how_it_came_about(photos, tmp_path):
    predict(photos, tmp_path, config=colour_ensemble(), device="cpu")
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["device"] == "cpu fp32"
    assert record["members"]["one"]["weight"] == 0.75
    assert record["members"]["one"]["identity"]["predictor"] == {"seed": 1}
    assert record["members"]["one"]["peak_memory_mb"] > 10
    assert record["versions"]["torch"]


def test_the_page_shows_every_image_and_asks_for_nothing(photos, tmp_path):
    predict(photos, tmp_path, config=colour_ensemble())
    page = (tmp_path / "report.html").read_text()
    assert page.count("<img ") == page.count("data:image/jpeg") == 12
    assert "http:" not in page and "https:" not in page


def test_bad_images_stop_a_run_before_any_model(photos, tmp_path):
    bad = write_broken_images(photos)
    with pytest.raises(UnreadableImage) as caught:
        predict(photos, tmp_path / "out", config=colour_ensemble())
    lines = str(caught.value).splitlines()
    assert len(lines) == len(bad) + 1
    assert not (tmp_path / "out" / "store").exists()


def test_bad_images_get_the_prior_and_good_ones_their_own(photos, tmp_path):
    alone = predict(photos, tmp_path / "alone", config=colour_ensemble())
    bad = write_broken_images(photos)
    prior = Embeddings.of(["prior"], np.arange(1.0, EMBEDDING_WIDTH + 1)[None])
    prior.save(tmp_path / "prior.safetensors")
    config = RunConfig("test", colour_ensemble().members, prior=str(tmp_path / "prior.safetensors"))
    mixed = predict(photos, tmp_path / "mixed", config=config, on_bad_image="prior")
    assert sorted([*alone.embeddings.image_ids, *bad]) == list(mixed.embeddings.image_ids)
    good = mixed.embeddings.take(alone.embeddings.image_ids)
    assert np.array_equal(good.vectors, alone.embeddings.vectors)
    assert all(np.array_equal(row, prior.vectors[0]) for row in mixed.embeddings.take(bad).vectors)


def test_filling_in_needs_a_prior(photos, tmp_path):
    with pytest.raises(BadConfig, match="names no prior"):
        predict(photos, tmp_path, config=colour_ensemble(), on_bad_image="prior")


def test_a_second_run_looks_at_nothing_again(photos, tmp_path, monkeypatch):
    first = predict(photos, tmp_path, config=colour_ensemble())
    monkeypatch.setattr("colour_member.OpenedColour.run", lambda *_: 1 / 0)
    second = predict(photos, tmp_path, config=colour_ensemble())
    assert np.array_equal(first.embeddings.vectors, second.embeddings.vectors)


def test_a_member_runs_after_the_one_it_needs(photos, tmp_path):
    config = ensemble(member("late", after="early"), member("early", weight=0))
    prediction = predict(photos, tmp_path, config=config)
    assert list(prediction.members) == ["early", "late"]


def test_a_needed_member_that_is_none_is_an_error(photos, tmp_path):
    with pytest.raises(BadConfig, match="needs the outputs of 'nobody'"):
        predict(photos, tmp_path, config=ensemble(member("late", after="nobody")))


def test_members_that_need_each_other_are_an_error(photos, tmp_path):
    config = ensemble(member("a", after="b"), member("b", after="a"))
    with pytest.raises(BadConfig, match="circle"):
        predict(photos, tmp_path, config=config)


def test_an_option_nobody_knows_is_an_error_before_anything_runs(photos, tmp_path):
    with pytest.raises(BadConfig, match="unknown key 'sede'; did you mean 'seed'"):
        predict(photos, tmp_path, config=ensemble(member("one", sede=1)))


def test_python_leaves_the_files_that_the_command_leaves(photos, tmp_path):
    config = 'prior = "embedded-prior"\n[[members]]\nname = "one"\nmodel = "colour"\n'
    (tmp_path / "mine.toml").write_text(config)
    predict(str(photos), str(tmp_path / "python"), config=str(tmp_path / "mine.toml"))
    arguments = ["--out", str(tmp_path / "command"), "--config", str(tmp_path / "mine.toml")]
    assert main(["predict", str(photos), *arguments, "--quiet"]) == 0
    left = [sorted(p.name for p in (tmp_path / run).iterdir()) for run in ("python", "command")]
    assert left[0] == left[1]
    whole = [(tmp_path / run / "submission.csv").read_bytes() for run in ("python", "command")]
    assert whole[0] == whole[1]


def test_what_members_were_trained_on_travels_with_the_run(photos, tmp_path):
    config = RunConfig("lite", (MemberConfig("lite", "regressor", "embedded-lite0"),))
    predict(photos, tmp_path / "out", config=config)
    seen = SeenPrompts.load(tmp_path / "out" / "trained_on" / "lite.safetensors")
    assert seen.prompts > 6000

"""Runs that must end in time, on a clock that only tests move."""

import json
import time

import numpy as np
import pytest
from colour_member import colour_ensemble

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.submission import check_submission
from prompt_ensemble.run import store
from prompt_ensemble.run.blend_weights import BlendWeights
from prompt_ensemble.run.config import MemberConfig, RunConfig
from prompt_ensemble.run.deadline import Deadline, WhenHopeless, parse_duration
from prompt_ensemble.run.ensemble import predict
from prompt_ensemble.run.results import write_results

pytestmark = pytest.mark.usefixtures("colour", "small_shards")


class Clock:
    """Stands still but for sleeping; from a given moment every sleep takes longer."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slow_from = float("inf")

    def sleep(self, seconds: float) -> None:
        self.time += seconds * (100 if self.time >= self.slow_from else 1)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.time)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    return clock


@pytest.fixture
def small_shards(monkeypatch):
    """Shards of one batch, so that twelve pictures are three of them."""
    monkeypatch.setattr(store, "SHARD_IMAGES", 4)


@pytest.fixture
def prior(tmp_path):
    path = tmp_path / "prior.safetensors"
    Embeddings.of(["prior"], np.arange(1.0, EMBEDDING_WIDTH + 1)[None]).save(path)
    return path


def member(name: str, weight: float, seconds: float, **more) -> MemberConfig:
    options = {"seconds_per_batch": seconds, "seed": len(name)} | more
    return MemberConfig(name, "colour", weight=weight, batch_size=4, options=options)


def ensemble(prior, *members: MemberConfig) -> RunConfig:
    return RunConfig("test", members, prior=str(prior))


@pytest.mark.parametrize(
    ("text", "seconds"), [("8h30m", 30600), ("45m", 2700), ("90s", 90), ("90", 90), ("1.5h", 5400)]
)
def test_durations_are_read_as_people_write_them(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "8:30", "0m", "-5m"])
def test_what_is_no_duration_is_one_clear_error(text):
    with pytest.raises(BadConfig, match=r"duration|no time"):
        parse_duration(text)


def test_with_time_enough_nothing_changes(photos, tmp_path, prior, clock):
    config = RunConfig("test", colour_ensemble().members, prior=str(prior))
    free = predict(photos, tmp_path / "free", config=config)
    held = predict(photos, tmp_path / "held", config=config, deadline="1h")
    assert np.array_equal(free.embeddings.vectors, held.embeddings.vectors)
    assert held.config == free.config
    assert not held.skipped


def test_what_cannot_end_is_left_out_and_the_others_take_its_weight(
    photos, tmp_path, prior, clock, caplog
):
    config = ensemble(prior, member("slow", 3.0, 1000), member("quick", 1.0, 1))
    prediction = predict(photos, tmp_path, config=config, deadline=2000.0)
    write_results(prediction, tmp_path)
    record = json.loads((tmp_path / "run.json").read_text())
    assert list(record["members"]) == ["quick"]
    assert record["members"]["quick"]["weight"] == 4.0
    assert "grown by 4.0000 for want of slow" in record["members"]["quick"]["weight_from"]
    assert "would take" in record["left_out"]["slow"]
    assert "member 'slow' is left out" in caplog.text


def test_more_weight_per_second_comes_first(photos, tmp_path, prior, clock):
    # After both were tried on a third of the images there is time for one of them.
    config = ensemble(prior, member("heavy", 2.0, 100), member("light", 1.9, 90))
    prediction = predict(photos, tmp_path, config=config, deadline=190 + 210 + 40)
    assert list(prediction.members) == ["light"]


def test_a_member_that_slows_down_is_stopped_and_kept_for_later(photos, tmp_path, prior, clock):
    config = ensemble(prior, member("steady", 1.0, 1), member("tiring", 1.0, 2))
    clock.slow_from = clock.time + 5  # when steady is done and tiring begins its second third
    prediction = predict(photos, tmp_path, config=config, deadline=100.0)
    assert list(prediction.members) == ["steady"]
    assert prediction.skipped["tiring"].startswith("too slow")
    assert clock.time < 1000 + 100 + 200
    kept = len(list((tmp_path / "store" / "tiring").glob("*.safetensors")))
    again = predict(photos, tmp_path, config=config)
    assert kept == 2
    fresh = predict(photos, tmp_path / "fresh", config=config)
    assert np.array_equal(again.embeddings.vectors, fresh.embeddings.vectors)


def test_without_time_every_row_is_the_prior(photos, tmp_path, prior, clock):
    config = ensemble(prior, member("slow", 1.0, 1000))
    prediction = predict(photos, tmp_path, config=config, deadline=5.0)
    write_results(prediction, tmp_path)
    expected = Embeddings.load(prior).vectors[0]
    assert all(np.array_equal(row, expected) for row in prediction.embeddings.vectors)
    assert check_submission(tmp_path / "submission.csv", prediction.album.image_ids) == []


def test_time_of_needed_members_counts(photos, tmp_path, prior, clock):
    config = ensemble(
        prior, member("needed", 0.0, 100), member("needing", 1.0, 1, after="needed"),
        member("alone", 0.5, 2),
    )  # fmt: skip
    prediction = predict(photos, tmp_path, config=config, deadline=250.0)
    assert list(prediction.members) == ["alone"]
    assert set(prediction.skipped) >= {"needing"}


def test_there_is_something_to_submit_from_the_start(photos, tmp_path, prior, clock):
    blends = []
    config = ensemble(prior, member("first", 2.0, 1), member("second", 1.0, 1))
    predict(photos, tmp_path, config=config, deadline="1h", meanwhile=blends.append)
    expected = Embeddings.load(prior).vectors[0]
    assert np.array_equal(blends[0].vectors[5], expected)
    assert len(blends) == 3
    assert not np.array_equal(blends[1].vectors, blends[2].vectors)


def test_a_deadline_needs_a_prior(photos, tmp_path, clock):
    with pytest.raises(BadConfig, match="names no prior"):
        predict(photos, tmp_path, config=colour_ensemble(), deadline="1h")


def test_weights_keep_their_proportions():
    config = RunConfig("t", (member("a", 1.0, 0), member("b", 2.0, 0), member("c", 1.0, 0)))
    left = BlendWeights.of(config).of_finished(["a", "b"], ["a", "b", "c"])
    assert left.members == pytest.approx({"a": 4 / 3, "b": 8 / 3})


def asked(stop: WhenHopeless, clock: Clock, done: int, left: int, seconds: float) -> bool:
    clock.time += seconds
    return stop(done, left)


def test_loading_and_warming_up_do_not_make_work_look_hopeless(clock):
    stop = WhenHopeless(Deadline(clock.time + 3600, lambda: clock.time))
    clock.time += 300  # loading
    assert not asked(stop, clock, 0, 16000, 0)
    assert not asked(stop, clock, 32, 15968, 60)  # the first batch
    assert not asked(stop, clock, 320, 15680, 20)


def test_work_that_turns_out_too_slow_stops_long_before_the_end(clock):
    stop = WhenHopeless(Deadline(clock.time + 3600, lambda: clock.time))
    assert not asked(stop, clock, 0, 16000, 0)
    assert not asked(stop, clock, 32, 15968, 10)
    assert not asked(stop, clock, 64, 15936, 10)  # too few to tell
    assert asked(stop, clock, 320, 15680, 90)
    assert clock.time < 1000 + 200

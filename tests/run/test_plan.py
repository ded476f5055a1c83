"""Plans are measured: time grows with images, loading does not, and the first batch warms up."""

import json
import time

import pytest
from colour_member import ColourPredictor, colour_ensemble

from prompt_ensemble.cli.main import main
from prompt_ensemble.cli.plan import spoken
from prompt_ensemble.run.config import MemberConfig, RunConfig
from prompt_ensemble.run.ensemble import load_ensemble
from prompt_ensemble.run.plan import Expected, plan

pytestmark = pytest.mark.usefixtures("colour")


@pytest.fixture
def clock(monkeypatch):
    """Only sleeping takes time; the first sleep takes ten times as long."""
    state = {"time": 0.0, "slept": 0}

    def sleep(seconds: float) -> None:
        state["slept"] += 1
        state["time"] += seconds * (10 if state["slept"] == 1 else 1)

    monkeypatch.setattr(time, "monotonic", lambda: state["time"])
    monkeypatch.setattr(time, "sleep", sleep)
    return state


def planned(photos, config: RunConfig) -> list[Expected]:
    with load_ensemble(config, device="cpu", memory_budget=0) as ensemble:
        return plan(ensemble, [photos])


def test_the_first_batch_is_not_counted(photos, tmp_path, clock):
    (cost,) = planned(photos, one_member(seconds_per_batch=2.0))
    assert cost.seconds_per_image == pytest.approx(2.0 / 4)


def test_loading_is_apart_from_looking(photos, tmp_path, clock, monkeypatch):
    opened = ColourPredictor.open

    def slowly(self, *arguments):
        clock["time"] += 30.0
        return opened(self, *arguments)

    monkeypatch.setattr(ColourPredictor, "open", slowly)
    (cost,) = planned(photos, one_member(seconds_per_batch=2.0))
    assert cost.load_seconds == 30.0
    assert cost.seconds(1000) == pytest.approx(30 + 500)


def one_member(**options) -> RunConfig:
    return RunConfig("test", (MemberConfig("one", "colour", batch_size=4, options=options),))


def test_every_member_is_measured(photos, tmp_path):
    costs = planned(photos, colour_ensemble())
    assert [cost.member for cost in costs] == ["one", "two"]
    assert all(cost.peak_memory > 10_000_000 for cost in costs)


def test_the_command_says_whether_a_deadline_is_enough(photos, tmp_path, capsys):
    config = tmp_path / "mine.toml"
    config.write_text('[[members]]\nname = "one"\nmodel = "colour"\nbatch_size = 4\n')
    asked = ["plan", str(photos), "--config", str(config), "--quiet", "--device", "cpu"]
    assert main([*asked, "--count", "16000", "--deadline", "9h"]) == 0
    assert "a deadline of 9h00m is enough" in capsys.readouterr().out
    assert main([*asked, "--count", "1000000000", "--deadline", "1m"]) == 0
    assert (
        "a deadline of 1m00s is too short: some members would be left out"
        in capsys.readouterr().out
    )
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 12


@pytest.mark.parametrize(
    ("seconds", "words"), [(1.25, "1.2s"), (61, "1m01s"), (3599.6, "1h00m"), (30600, "8h30m")]
)
def test_times_are_spoken_in_two_units(seconds, words):
    assert spoken(seconds) == words

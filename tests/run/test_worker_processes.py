"""Several devices share a member's shards and change nothing. Two CPUs stand in for two GPUs."""

import numpy as np
import pytest
from colour_member import colour_ensemble
from conftest import paint_photos

from prompt_ensemble.core.errors import BadConfig, WorkerFailed
from prompt_ensemble.models.device import choose_placements
from prompt_ensemble.run import store
from prompt_ensemble.run.config import MemberConfig, RunConfig
from prompt_ensemble.run.ensemble import predict

pytestmark = pytest.mark.usefixtures("colour")


@pytest.fixture
def many(tmp_path, monkeypatch):
    """A folder of pictures that make several shards."""
    monkeypatch.setattr(store, "SHARD_IMAGES", 8)
    paint_photos(tmp_path / "many", 40)
    return tmp_path / "many"


def test_two_devices_give_what_one_gives(many, tmp_path):
    one = predict(many, tmp_path / "one", config=colour_ensemble(), device="cpu")
    two = predict(many, tmp_path / "two", config=colour_ensemble(), device="cpu,cpu")
    assert np.array_equal(one.embeddings.vectors, two.embeddings.vectors)
    names = [
        sorted(path.name for path in (tmp_path / out / "store").rglob("*.safetensors"))
        for out in ("one", "two")
    ]
    assert names[0] == names[1]


def test_progress_counts_every_image_once(many, tmp_path):
    counted = {}

    class Counting:
        def __init__(self, stage: str, total: int, unit: str = "image") -> None:
            self.stage = stage

        def __enter__(self):
            return lambda steps: counted.update({self.stage: counted.get(self.stage, 0) + steps})

        def __exit__(self, *error) -> None:
            return None

    predict(many, tmp_path / "out", config=colour_ensemble(), device="cpu,cpu", progress=Counting)
    assert counted["one"] == counted["two"] == 40


@pytest.mark.parametrize(
    ("fails", "error", "message"),
    [
        ("dies", WorkerFailed, "on cpu ended with code 9; what is finished is kept"),
        ("complains", BadConfig, "this cannot be"),
    ],
)
def test_what_goes_wrong_in_a_worker_is_one_clear_error(many, tmp_path, fails, error, message):
    failing = MemberConfig("one", "colour", batch_size=4, options={"fails": fails})
    with pytest.raises(error, match=message):
        predict(many, tmp_path, config=RunConfig("test", (failing,)), device="cpu,cpu")


def test_devices_of_different_kinds_are_refused():
    with pytest.raises(BadConfig, match="different kinds"):
        choose_placements("cpu,meta", "fp32")


def test_all_devices_are_the_best_one_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert choose_placements("all") == choose_placements("auto")

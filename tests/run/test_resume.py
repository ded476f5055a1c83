"""Killed runs, run again, end in the file of a run that was left in peace."""

import json
import subprocess
import sys
import time
from pathlib import Path

import colour_member
import numpy as np
import pytest
from conftest import paint_photos

PROGRAM = Path(colour_member.__file__)


def start(images, out, seconds_per_batch):
    command = [sys.executable, PROGRAM, images, out, str(seconds_per_batch)]
    return subprocess.Popen([str(part) for part in command])


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many") / "photos"
    paint_photos(folder, 600)
    return folder


@pytest.fixture(scope="module")
def undisturbed(many, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed")
    assert start(many, out, 0).wait() == 0
    return (out / "submission.csv").read_bytes()


def shards(out):
    return len(list((out / "store").rglob("*.safetensors")))


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_points_it_ends_in_the_same_bytes(many, undisturbed, tmp_path, seed):
    random = np.random.default_rng(seed)
    seen = []
    for _ in range(3):
        process = start(many, tmp_path, 0.01)
        waiting_for = shards(tmp_path) + int(random.integers(1, 4))
        while shards(tmp_path) < min(waiting_for, 10) and process.poll() is None:
            time.sleep(0.005)
        time.sleep(float(random.uniform(0, 0.1)))
        process.kill()
        process.wait()
        seen.append(shards(tmp_path))
    assert not (tmp_path / "submission.csv").exists() or shards(tmp_path) == 10
    assert seen == sorted(seen)
    assert seen[0] > 0
    assert start(many, tmp_path, 0).wait() == 0
    assert (tmp_path / "submission.csv").read_bytes() == undisturbed


def test_two_processes_fill_one_store(many, undisturbed, tmp_path):
    both = [start(many, tmp_path, 0.01) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert (tmp_path / "submission.csv").read_bytes() == undisturbed
    json.loads((tmp_path / "run.json").read_text())

"""The check for graphics cards, dry: on the processor, with tiny models and toy timings."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def gpu_check():
    """The module of that name below ``benchmarks.gpu_check``."""
    path = str(ROOT)
    sys.path.insert(0, path)
    yield lambda name: importlib.import_module(f"benchmarks.gpu_check.{name}")
    sys.path.remove(path)


CAPTIONERS = ("ofa", "blip", "blip2", "florence2", "git", "encoder-decoder", "coca")
QUICK = (
    *(f"precisions of {kind}" for kind in ("git", "regressor", "interrogator", "neighbours")),
    *(f"waits of {kind}" for kind in CAPTIONERS),
    *("resumed on another device", "out of memory", "two workers", "deadline", "matrix peak"),
    *("BLIP-large", "ViT-B/16", "CLIP ViT-L/14", "MiniLM", "whole ensemble"),
    "drawing with SD 2",
)
"""One of each sort; all of them together are a slow test."""


def run_dry(out, *more):
    """The whole command, as on a machine without a card."""
    command = [sys.executable, "-m", "benchmarks.gpu_check", "--device", "cpu", "--out", str(out)]
    subprocess.run([*command, "--minutes", "20", *more], cwd=ROOT, check=False)
    return json.loads((out / "gpu_check.json").read_text()), (out / "gpu_check.md").read_text()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """One run of the quick checks."""
    return run_dry(tmp_path_factory.mktemp("gpu-check"), "--only", *QUICK)


def rows_of(report, part):
    return [row for row in report[0]["rows"] if row["part"] == part]


def wrong(report):
    """Rows of the part right that are not as they should be, but for what is known."""
    rows = rows_of(report, "right")
    return [row for row in rows if row["outcome"] not in ("passed", "stated")]


def test_on_the_processor_everything_is_right(report):
    assert wrong(report) == []


@pytest.mark.slow
def test_on_the_processor_every_kind_is_right(tmp_path):
    whole = run_dry(tmp_path)
    assert wrong(whole) == []
    assert sum("precisions of" in row["check"] for row in rows_of(whole, "right")) == 22
    assert {row["outcome"] for row in rows_of(whole, "fast")} == {"stated", "not run"}


@pytest.mark.parametrize(
    ("check", "count"),
    [("precisions of", 8), ("waits of", 7), ("resumed", 2), ("memory", 1), ("two workers", 1),
     ("deadline", 1)],
)  # fmt: skip
def test_every_promise_is_looked_at(report, check, count):
    assert sum(check in row["check"] for row in rows_of(report, "right")) == count


def test_the_table_has_a_line_for_every_row(report):
    content, table = report
    assert table.startswith("### no card\n")
    assert len([line for line in table.splitlines() if line.startswith("| ")]) == 1 + len(
        content["rows"]
    )


class Clock:
    """Moves only when a test moves it."""

    def __init__(self):
        self.time = 0.0

    def __call__(self):
        return self.time


def taking(checks, clock, seconds, *names):
    """Steps that take some time each."""

    def steps():
        for name in names:
            yield name, lambda: clock.pass_time(seconds) or checks.Found(checks.PASSED)

    clock.pass_time = lambda spent: setattr(clock, "time", clock.time + spent)
    return steps


def test_what_does_not_fit_into_its_share_is_named(gpu_check):
    checks, clock = gpu_check("checks"), Clock()
    both = [
        checks.Check("p", "long", taking(checks, clock, 60, "a", "b", "c")),
        checks.Check("p", "short", taking(checks, clock, 1, "d")),
    ]
    rows = list(checks.run_checks(both, 100, clock))
    outcomes = {row.what: row.outcome for row in rows}
    assert outcomes == {"a": "passed", "b": "out of time", "c": "out of time", "d": "passed"}


def raising(error):
    def look():
        raise error

    return lambda: iter([("it", look)])


@pytest.mark.parametrize(
    ("error", "outcome", "detail"),
    [
        (ModuleNotFoundError("No module", name="timm"), "not run", "package missing: timm"),
        (
            ImportError("cannot import name", name="ours"),
            "error",
            "ImportError: cannot import name",
        ),
        (ValueError("wrong\nnumber"), "error", "ValueError: wrong number"),
    ],
)
def test_one_failure_is_a_row_and_not_the_end(gpu_check, error, outcome, detail):
    checks = gpu_check("checks")
    both = [
        checks.Check("p", "failing", raising(error)),
        checks.Check("p", "fine", taking(checks, Clock(), 0, "it")),
    ]
    first, second = checks.run_checks(both, 1e9, Clock())
    assert (first.outcome, first.detail) == (outcome, detail)
    assert second.outcome == "passed"


def test_a_mask_as_an_index_is_heard_as_waiting(gpu_check):
    torch, syncs = importlib.import_module("torch"), gpu_check("syncs")
    waits, numbers = syncs.Waits(), torch.arange(4)
    with syncs.listening(waits, numbers.device):
        numbers[numbers > 1]
        bool((numbers > 1).all())
        numbers[torch.tensor([1, 2])]
    assert waits.counted["before"] == {"index": 1, "_local_scalar_dense": 1}


def test_operations_are_counted_in_inference_mode(gpu_check):
    torch, flops = importlib.import_module("torch"), gpu_check("flops")
    layer = torch.nn.Linear(16, 8)
    with torch.inference_mode(), flops.counting() as counted:
        layer(torch.ones(4, 16))
    assert counted.total == 2 * 4 * 16 * 8


def test_fused_attention_is_counted_too(gpu_check):
    torch, flops = importlib.import_module("torch"), gpu_check("flops")
    attention = torch.nn.MultiheadAttention(16, 2, batch_first=True).eval()
    words = torch.ones(1, 4, 16)
    with torch.inference_mode(), flops.counting() as counted:
        attention(words, words, words, need_weights=False)
        attention(words, words, words, need_weights=False)
    assert counted.total >= 2 * (4 * 2 * 4 * 16 * 16)  # four projections, twice


def test_timings_of_toys_have_every_figure(report):
    rows = [row for row in rows_of(report, "fast") if row["outcome"] != "not run"]
    assert {row["outcome"] for row in rows} == {"stated"}
    best = [row["figures"] for row in rows if row["what"] == "best"]
    assert len(best) == 4
    assert all(figures["TFLOP/s"] > 0 and figures["ms by stage"] for figures in best)


def test_a_process_that_dies_takes_only_its_check_down(gpu_check, tmp_path, monkeypatch):
    command = gpu_check("__main__")
    messages = [
        [{"machine": {"name": "none"}, "checks": [["p", "a"], ["p", "b"]]}, {"begun": 1}],
        [{"begun": 2}, {"row": {"part": "p", "check": "b", "what": "", "outcome": "passed"}}],
    ]
    ended = iter([-11, 0])

    def run_child(folder, skip, ends):
        with (folder / command.REPORTS).open("a") as file:
            file.writelines(json.dumps(message) + "\n" for message in messages[skip])
        return next(ended)

    monkeypatch.setattr(command, "run_child", run_child)
    rows = command.run_children(tmp_path, 0.0).rows
    assert [(row.check, row.outcome) for row in rows] == [("a", "error"), ("b", "passed")]
    assert "-11" in rows[0].detail

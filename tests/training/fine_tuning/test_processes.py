"""Several processes that share each batch end where one alone ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_captioners import SAVE
from training_samples import write_pairs

from prompt_ensemble.training.journal import Journal

SETTINGS = {
    "steps": 6, "batch_size": 6, "judge_every": 2, "longest": 12, "rate": 1e-3, "workers": 0,
}  # fmt: skip
PROMPTS = ("a sleeping cat", "oil painting of a castle", "robots in the rain", "a bowl of fruit")


@pytest.mark.slow
def test_two_processes_end_where_one_does(tmp_path: Path) -> None:
    """CoCa drops nothing out at random."""
    SAVE["coca"](tmp_path / "coca")
    names = sorted({pair.image.name for pair in write_pairs(tmp_path / "data").rows})[::2]
    lines = [
        json.dumps({"image": name, "prompt": prompt, "source": prompt.split()[0]})
        for name, prompt in zip(names, PROMPTS, strict=True)
    ]
    (tmp_path / "data" / "few.jsonl").write_text("\n".join(lines))
    notes = [_train(tmp_path, processes) for processes in (1, 2)]
    for one, two in zip(*notes, strict=True):
        assert two == pytest.approx(one, abs=1e-3)


def _train(folder: Path, processes: int) -> list[dict[str, float]]:
    """The notes of a run on the CPU; torchrun connects its processes on this machine alone."""
    run = folder / f"run{processes}"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(processes), "-m", "prompt_ensemble", "train", "captioner"]
    command += ["--data", str(folder / "data" / "few.jsonl"), "--from", str(folder / "coca")]
    command += ["--out", str(run), "--hold-out", "robots", "--cpu", "--quiet"]
    for key, value in SETTINGS.items():
        command += ["--set", f"{key}={value}"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return Journal(run).notes()

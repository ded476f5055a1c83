"""``prompt-ensemble train captioner``, from listings to a captioner that ``caption`` takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_tower import NAME, save_tiny_tower
from training_samples import write_pairs

from prompt_ensemble.cli.main import main

RECIPE = {
    "library": "timm", "tower": NAME, "backbone": "tower", "vocabulary": 90, "width": 32,
    "layers": 1, "heads": 2, "rows": 2, "longest": 24, "steps": 4, "batch_size": 8,
}  # fmt: skip

PROMPTS = {
    "red": ("a sleeping cat", "left"),
    "green": ("oil painting of a castle", "left"),
    "blue": ("robots in the rain", "right"),
    "grey": ("a bowl of fruit", "right"),
}
"""So far apart that sources share no group of near-duplicates."""


def train(folder: Path, *more: str) -> int:
    save_tiny_tower(folder / "weights")
    write_pairs(folder / "data")
    lines = [
        json.dumps({"image": f"{name}0.png", "prompt": prompt, "source": source})
        for name, (prompt, source) in PROMPTS.items()
    ]
    (folder / "data" / "far.jsonl").write_text("\n".join(lines))
    arguments = ["--data", str(folder / "data" / "far.jsonl"), "--out", str(folder / "run")]
    arguments += ["--weights", str(folder / "weights"), "--cpu", "--quiet", *more]
    settings = [part for key, value in RECIPE.items() for part in ("--set", f"{key}={value}")]
    return main(["train", "captioner", *arguments, *settings])


def test_what_it_trains_captions(
    tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture
) -> None:
    assert train(tmp_path, "--hold-out", "left", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["trained_on"], record["judged_on"]) == (2, 2)
    asked = ["caption", str(photos), "--model", record["captioner"], "--device", "cpu"]
    assert main([*asked, "--weights", str(tmp_path / "weights"), "--quiet"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 12


def test_nothing_needs_to_be_held_out(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert train(tmp_path, "--hold-out-share", "0") == 0
    assert "trained on 4 pairs; nothing was held out" in capsys.readouterr().out


def test_a_recipe_that_contradicts_itself_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert train(tmp_path, "--set", "decoder=language-model") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "needs language_model" in line

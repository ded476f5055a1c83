"""``prompt-ensemble train captioner``, from listings to a captioner that ``caption`` takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_captioners import save_encoder_decoder
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


def test_a_captioner_of_ours_goes_on_from_where_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert train(tmp_path, "--hold-out-share", "0", "--json") == 0
    first = json.loads(capsys.readouterr().out)["captioner"]
    again = ["--out", str(tmp_path / "again"), "--set", "rate=1e-9", "--set", "cells=3"]
    assert train(tmp_path, "--from", first, "--hold-out", "left", "--json", *again) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["recipe"]["cells"] == 0
    assert record["gain"]["mean"] == pytest.approx(0, abs=1e-2)
    assert record["before"]["mean"] == pytest.approx(record["score"], abs=1e-2)


def test_a_published_captioner_is_fine_tuned(
    tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture
) -> None:
    save_encoder_decoder(tmp_path / "weights" / "vit-gpt2")
    data = tmp_path / "fashion.jsonl"
    write_pairs(tmp_path / "data")
    lines = [
        json.dumps({"image": f"data/{name}0.png", "prompt": prompt, "article": source})
        for name, (prompt, source) in PROMPTS.items()
    ]
    data.write_text("\n".join(lines))
    tuning = ["train", "captioner", "--data", str(data), "--from", "vit-gpt2"]
    tuning += ["--source-field", "article", "--hold-out", "left", "--out", str(tmp_path / "run")]
    tuning += ["--weights", str(tmp_path / "weights"), "--cpu", "--quiet"]
    for setting in ("steps=2", "batch_size=2", "longest=10", "workers=0"):
        tuning += ["--set", setting]
    assert main(tuning) == 0
    said = capsys.readouterr().out
    assert "trained on 2 pairs; held-out mean cosine" in said
    captioner = said.rpartition("saved in ")[2].strip()
    assert main(["caption", str(photos), "--model", captioner, "--device", "cpu", "--quiet"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 12


def test_another_shape_than_the_captioners_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert train(tmp_path, "--hold-out-share", "0", "--json") == 0
    first = json.loads(capsys.readouterr().out)["captioner"]
    again = ["--out", str(tmp_path / "again"), "--set", f"start_from={first}", "--set", "cells=2"]
    assert train(tmp_path, *again) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "has cells=0, the recipe 2" in line

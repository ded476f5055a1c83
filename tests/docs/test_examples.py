"""Every program in examples/ runs as its first line says, on a few small pictures."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import paint_photos
from tiny_diffusion import tiny_pipeline

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PROMPTS = ("a cat on a roof", "a red car", "mountains at dawn", "a bowl of fruit", "a dark city")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples") / "pictures"
    paint_photos(folder, 10)
    return folder


@pytest.fixture(scope="module")
def finished_run(pictures):
    out = pictures.parent / "out"
    run("submission.py", pictures, out)
    return out


def run(example: str, *arguments: Path) -> str:
    command = [sys.executable, str(EXAMPLES / example), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_a_folder_becomes_a_submission(finished_run):
    assert (finished_run / "submission.csv").stat().st_size > 10_000


@pytest.mark.slow  # a hundred thousand phrases are embedded once
def test_a_picture_has_a_prompt(pictures):
    prompt, shape = run("prompt_of_a_picture.py", pictures / "photo00.png").splitlines()
    assert len(prompt.split(", ")) > 5 and shape == "(1, 384)"


def test_many_calls_are_answered(pictures):
    lines = run("many_calls.py", *sorted(pictures.iterdir())[:3]).splitlines()
    assert [line.split()[0] for line in lines] == [str(p) for p in sorted(pictures.iterdir())[:3]]


def test_a_run_is_tuned(finished_run):
    table = finished_run.parent / "prompts.csv"
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["imgId", "prompt"])
        rows.writerows((f"photo{n:02}", f"{PROMPTS[n % 5]}, number {n}") for n in range(10))
    assert "weights {" in run("tune_a_blend.py", finished_run, table)


def test_the_table_of_a_run_names_every_image(pictures):
    shown = run("table_of_a_run.py", pictures)
    assert all(f"photo{n:02}" in shown for n in range(10)) and "(10, 384)" in shown


@pytest.mark.slow
def test_a_regressor_comes_from_nothing_but_a_model_that_draws(tmp_path):
    tiny_pipeline().save_pretrained(tmp_path / "model")
    said = run("data_from_nothing.py", tmp_path / "model", tmp_path / "out", "16", "4")
    drawn = {line["prompt"] for line in read_lines(tmp_path / "out" / "drawn" / "pairs.jsonl")}
    found = {line["original"] for line in read_lines(tmp_path / "out" / "set" / "pairs.jsonl")}
    assert len(drawn) == 16 and found == drawn
    assert "drawn " in said and (tmp_path / "out" / "page" / "report.html").is_file()


def read_lines(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_every_example_is_tried():
    tried = Path(__file__).read_text()
    assert all(f'"{path.name}"' in tried for path in EXAMPLES.glob("*.py"))

"""A whole study of captioners that see one quarter of an image, recomputed by plain Python."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import browser
import numpy as np
import pytest
from click.testing import CliRunner
from corner_captioner import COLOURS, THINGS, encode, register, save_corner, write_quarters

from prompt_ensemble.cli.main import group
from prompt_ensemble.data.pairs import read_pairs
from prompt_ensemble.run.config import RunConfig
from prompt_ensemble.run.ensemble import load_ensemble
from prompt_ensemble.study.captioner_study import PAGE, StudyOptions, run_study
from prompt_ensemble.study.conclusion import conclude
from prompt_ensemble.study.contenders import parse_contenders
from prompt_ensemble.study.looking import LookOptions
from prompt_ensemble.study.records import as_record
from prompt_ensemble.study.study import Study

TRUE = [f"{colour} {thing}" for thing in THINGS for colour in COLOURS]
FIRST = [f"{colour} wall" for _ in THINGS for colour in COLOURS]
"""What a captioner says that sees the quarter which the prompts name."""
LAST = [f"{COLOURS[(c + t) % 3]} wall" for t in range(4) for c in range(3)]
"""What one says that sees the opposite quarter."""


def studied(folder: Path, models: list[str], tables: tuple[str, ...] = ()) -> Study:
    listing = folder / "images" / "pairs.jsonl"
    if not listing.is_file():
        write_quarters(folder / "images")
        save_corner(folder / "first", 0, 0)
        save_corner(folder / "last", 1, 1)
    with load_ensemble(RunConfig("study", ()), device="cpu", memory_budget=0) as ensemble:
        return run_study(
            read_pairs(listing, ()), parse_contenders(models, tables), folder / "out",
            ensemble=ensemble, encode=encode,
            options=StudyOptions(batch_size=4, looks=LookOptions(images=5, grid=2)),
        )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def study(folder: Path) -> Study:
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        models = [f"first={folder / 'first'}", f"last={folder / 'last'}"]
        return studied(folder, models)


def cosine(one: str, other: str) -> float:
    return float(encode([one])[0] @ encode([other])[0])


def test_captions_come_from_the_images(study):
    assert list(study.captions["first"].texts) == FIRST
    assert list(study.captions["last"].texts) == LAST


def test_the_numbers_are_those_of_plain_python(study):
    record = as_record(study)["measures"]
    for name, said in (("first", FIRST), ("last", LAST)):
        found = {m: c["captioners"][name]["score"]["mean"] for m, c in record.items()}
        near = np.array([[cosine(text, prompt) for prompt in TRUE] for text in said])
        own = near.diagonal()
        others = (near.sum(axis=1) - own) / (len(TRUE) - 1)
        ranks = 1 + (near > own[:, None] + 1e-6).sum(axis=1)
        shared = [set(a.split()) & set(b.split()) for a, b in zip(said, TRUE, strict=True)]
        assert found["cosine"] == pytest.approx(own.mean(), abs=1e-5)
        assert found["image_gain"] == pytest.approx((own - others).mean(), abs=1e-5)
        assert found["reciprocal_rank"] == pytest.approx((1 / ranks).mean())
        assert found["covered_subject"] == pytest.approx(np.mean([len(s) / 2 for s in shared]))
        assert found["hallucinated"] == pytest.approx(1 - np.mean([len(s) / 2 for s in shared]))
        assert found["words"] == pytest.approx(2)
        assert found["said_of_others"] == pytest.approx(1)


def test_parts_are_means_within_their_images(study):
    for thing, found in study.parts["source"].items():
        rows = [row for row, prompt in enumerate(TRUE) if prompt.endswith(thing)]
        wanted = np.mean([cosine(FIRST[row], TRUE[row]) for row in rows])
        assert found.summaries["first"].score.mean == pytest.approx(wanted, abs=1e-5)


def test_agreement_is_the_cosine_of_captions_of_one_image(study):
    found = study.agreement["first", "last"]
    pairs = list(zip(FIRST, LAST, strict=True))
    wanted = np.mean([cosine(one, other) for one, other in pairs])
    assert found.cosine.mean == pytest.approx(wanted, abs=1e-5)
    assert found.same_text == pytest.approx(np.mean([one == other for one, other in pairs]))


def test_only_who_sees_what_the_prompts_name_gains_from_the_image(study):
    gains = study.measures["image_gain"].summaries
    assert gains["first"].score.low > 0
    assert gains["last"].score.low < gains["first"].score.low


def test_the_conclusion_says_who_is_nearer_with_its_interval(study):
    gain = study.measures["cosine"].differences["first", "last"]
    wanted = (
        f"first is nearer to the true prompts than last by {gain.mean:.3f} "
        f"(95% {gain.low:.3f} to {gain.high:.3f})."
    )
    assert wanted in conclude(study).headline
    assert gain.low > 0


def test_the_grey_cell_that_matters_is_found(study):
    """Each looks at one quarter of the image, and greying any other moves nothing."""
    for name, quarter in (("first", (0, 0)), ("last", (1, 1))):
        moved = study.looks.moved[name]
        assert moved[:, *quarter].min() > 0.1
        elsewhere = np.ones((2, 2), bool)
        elsewhere[quarter] = False
        assert np.abs(moved[:, elsewhere]).max() == pytest.approx(0, abs=1e-5)


def test_the_page_holds_everything_and_points_nowhere(study, folder):
    text = (folder / "out" / PAGE).read_text()
    assert "first is nearer to the true prompts than last" in text
    assert text.count('class="example"') == sum(a != b for a, b in zip(FIRST, LAST, strict=True))
    assert "Cells that move the caption" in text
    links = re.findall(r"(?:src|href|url)\s*[=(]\s*['\"]?([^'\")\s>]+)", text)
    assert all(link.startswith(("data:image/jpeg;base64,", "#")) for link in links)


@pytest.mark.skipif(browser.CHROMIUM is None, reason="needs chromium")
def test_the_page_runs_in_a_browser_without_a_problem(study, folder, tmp_path):
    script = """document.querySelector("th button").click();
    return {examples: document.querySelectorAll(".example").length,
            wide: document.documentElement.scrollWidth <= innerWidth};"""
    found = browser.try_page(folder / "out" / PAGE, script, tmp_path)
    assert found["examples"] > 0
    assert found["wide"]
    assert not found["problems"] and not found["requests"]


def test_seeds_of_equal_captioners_are_told_apart_by_nothing(tmp_path, monkeypatch):
    register(monkeypatch)
    captions = tmp_path / "first.csv"
    ids = [f"{n:02}" for n in range(12)]
    rows = [f"{image_id},{text}" for image_id, text in zip(ids, FIRST, strict=True)]
    captions.write_text("\n".join(["imgId,caption", *rows]) + "\n")
    found = studied(tmp_path, [f"one={tmp_path / 'first'}"], (f"other={captions}",))
    told = conclude(found)
    assert told.details["one", "other"] == (
        "Between one and other no difference is shown in any measure.",
    )
    assert told.headline[0] == "Neither one nor other is shown to be nearer to the true prompts."
    assert " than other" not in str(told) and " than one" not in str(told)
    assert set(found.looks.moved) == {"one"}


def test_the_command_writes_its_files_and_continues(tmp_path, monkeypatch):
    register(monkeypatch)
    listing = write_quarters(tmp_path / "images")
    (tmp_path / "images" / "05.png").write_bytes(b"no picture")
    first, last = save_corner(tmp_path / "a", 0, 0), save_corner(tmp_path / "b", 1, 1)
    out = tmp_path / "out"
    command = [
        "study", "captioners", "--data", str(listing), "--model", f"x={first}",
        "--model", f"x={save_corner(tmp_path / 'c', 0, 0)}", "--model", f"y={last}",
        "--out", str(out), "--look-at", "2", "--grid", "2", "--beams", "2", "--quiet",
    ]  # fmt: skip
    done = CliRunner().invoke(group, command)
    assert "1 of 12 images cannot be read" in str(done.exception)
    assert "nearer to the true prompts" in done.output
    record = json.loads((out / "study.json").read_text())
    assert record["images"] == 11
    assert record["settings"]["num_beams"] == 2
    assert list(record["captioners"]["x"]["runs"]) == ["x-1", "x-2"]
    with (out / "captions.csv").open() as file:
        assert [row["x-1 says"] for row in csv.DictReader(file)] == [
            text for place, text in enumerate(FIRST) if place != 5
        ]
    stored = {file: file.stat().st_mtime_ns for file in out.glob("store/**/*.safetensors")}
    CliRunner().invoke(group, command)
    assert {file: file.stat().st_mtime_ns for file in out.glob("store/**/*.safetensors")} == stored
    assert stored

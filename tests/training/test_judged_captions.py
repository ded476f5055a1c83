"""Captions of held-out images against true prompts: means, gains, and the listing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from training_samples import encode

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.data.pairs import Pair, read_pairs
from prompt_ensemble.training.judged_captions import JudgedPairs

PROMPTS = ["a cat", "a cat", "a dog", "a house"]
SOURCES = ["shop", "shop", "shop", "street"]


def judged(folder: Path) -> JudgedPairs:
    rows = []
    for number, (prompt, source) in enumerate(zip(PROMPTS, SOURCES, strict=True)):
        (folder / f"{number}.png").touch()
        rows.append(Pair(folder / f"{number}.png", prompt, source, "A"))
    return JudgedPairs(tuple(rows), unit_rows(encode(PROMPTS)), encode)


def test_a_prompt_counts_once_however_many_its_images(tmp_path: Path) -> None:
    pairs = judged(tmp_path)
    captions = ["a cat", "something", "a dog", "a house"]
    of_each = pairs.cosines(captions)
    assert pairs.score(captions) == pytest.approx(np.mean([of_each[:2].mean(), 1, 1]))


def test_the_right_words_gain_what_the_wrong_ones_lacked(tmp_path: Path) -> None:
    pairs = judged(tmp_path)
    wrong = ["x", "y", "z", "w"]
    record = pairs.write(PROMPTS, wrong, tmp_path / "held_out.jsonl")
    lacked = 1 - record["before"]["mean"]
    assert record["gain"]["mean"] == pytest.approx(lacked)
    assert record["gain"]["low"] > 0.5


def test_each_source_has_its_scores(tmp_path: Path) -> None:
    record = judged(tmp_path).write(["a cat", "a cat", "a dog", "x"], None, tmp_path / "h.jsonl")
    assert record["by_source"]["shop"]["caption"]["mean"] == pytest.approx(1)
    assert record["by_source"]["shop"]["prompts"] == 2
    assert record["by_source"]["street"]["caption"]["mean"] < 0.5
    assert "gain" not in record["by_source"]["street"]


def test_the_listing_is_one_of_pairs(tmp_path: Path) -> None:
    pairs = judged(tmp_path)
    pairs.write(PROMPTS, None, tmp_path / "held_out.jsonl")
    lines = (tmp_path / "held_out.jsonl").read_text().splitlines()
    assert [json.loads(line)["caption"] for line in lines] == PROMPTS
    again = read_pairs(tmp_path / "held_out.jsonl", ())
    assert [pair.prompt for pair in again.rows] == PROMPTS
    assert again.sources.tolist() == SOURCES

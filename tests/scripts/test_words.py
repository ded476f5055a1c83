"""Known prompts, and texts for left-out images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_writer import rows
from training_samples import encode

from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.errors import BadConfig
from scripts.embedded.contact_sheet import write_contact_sheet
from scripts.embedded.known_prompts import distinct_lines, known_prompts
from scripts.embedded.votes import left_out_votes
from scripts.embedded.words import write_texts


def test_lines_that_differ_only_in_capitals_and_blanks_come_once(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A cat\n\na  dog \n")
    (tmp_path / "b.txt").write_text("a cat\na bird\n")
    assert distinct_lines(list(tmp_path.glob("*.txt"))) == ["A cat", "a  dog", "a bird"]


def test_prompts_near_to_judged_ones_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a cat\na dog\n")
    known = known_prompts([tmp_path / "a.txt"], ["a dog"], encode, tmp_path / "known")
    assert known.texts == ("a cat",)
    kept = known_prompts([], [], encode, tmp_path / "known")
    assert kept.texts == known.texts
    assert np.array_equal(kept.vectors, known.vectors)


def test_without_files_the_cure_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="make tune-embedded"):
        known_prompts([], [], encode, tmp_path / "known")


def test_votes_on_a_source_do_not_hang_on_its_truth() -> None:
    from prompt_ensemble.models.packed_bank import PackedBank
    from scripts.embedded.known_prompts import KnownPrompts

    ids = tuple(map(str, range(60)))
    members = {
        name: Embeddings.of(ids, rows(60, seed)) for seed, name in enumerate(("clip", "lites"))
    }
    sources = np.array(["left"] * 20 + ["right"] * 40)
    known = KnownPrompts(("x",) * 500, rows(500, 7))
    bank, true = PackedBank.of(known.vectors), rows(60, 3)
    strange = np.concatenate([rows(20, 9), true[20:]])
    first, second = (left_out_votes(members, t, sources, known, bank) for t in (true, strange))
    assert np.allclose(first.vectors[:20], second.vectors[:20], atol=1e-5)
    assert not np.allclose(first.vectors[20:], second.vectors[20:], atol=1e-3)


def test_texts_and_contact_sheet_are_written(tmp_path: Path) -> None:
    Image.new("RGB", (20, 30), "red").save(tmp_path / "a.png")
    said = {"shown": {"a": "a <red> wall"}, "written": {"a": "a wall"}}
    write_texts(said, tmp_path / "words")
    assert (tmp_path / "words" / "shown.csv").read_text().split() == [
        "image_id,prompt", "a,a", "<red>", "wall",
    ]  # fmt: skip
    write_contact_sheet(
        {"a": tmp_path / "a.png"}, {"a": "a red wall"}, said, ["shown", "written"], encode,
        tmp_path / "sheet.html",
    )  # fmt: skip
    page = (tmp_path / "sheet.html").read_text()
    assert "a &lt;red&gt; wall" in page
    assert page.count("<figure>") == 1

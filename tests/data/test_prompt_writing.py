"""Candidates are kept when they are sound, new, and unlike what was kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from training_samples import encode

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.data.prompt_variety import variety_of
from prompt_ensemble.data.prompt_writing import Candidates, Wanted, Written, write_distinct


def numbered(number: int) -> list[str]:
    """Every batch begins with what the last one ended with."""
    return [f"prompt number {5 * number + place}" for place in range(6)]


TWENTY = Wanted(20)


def write(
    out: Path,
    wanted: Wanted = TWENTY,
    candidates: Candidates = numbered,
    seed: int = 0,
    known: np.ndarray | None = None,
) -> Written:
    return write_distinct(candidates, wanted, out, {"seed": seed}, encode=encode, known=known)


def test_as_many_as_are_wanted_each_once(tmp_path: Path) -> None:
    written = write(tmp_path / "prompts.txt")
    lines = (tmp_path / "prompts.txt").read_text().splitlines()
    assert lines == list(written.prompts) == [f"prompt number {n}" for n in range(20)]
    assert written.alike == 3
    assert not (tmp_path / "prompts.txt.parts").exists()


def test_texts_with_faults_are_left_out(tmp_path: Path) -> None:
    written = write(
        tmp_path / "p.txt", Wanted(2), lambda number: ["", "a cat a cat a cat", "x", "y"]
    )
    assert written.prompts == ("x", "y")
    assert written.faulty == 2


def test_near_ones_count_as_one(tmp_path: Path) -> None:
    def near(texts: Sequence[str]) -> np.ndarray:
        rows = encode([text.split()[0] for text in texts])
        return unit_rows(rows + 0.01 * encode(texts))

    written = write_distinct(
        lambda number: [f"cat {number}", f"dog {number}"], Wanted(5), tmp_path / "p.txt", {},
        encode=near,
    )  # fmt: skip
    assert written.prompts == ("cat 0", "dog 0")


def test_near_to_known_ones_is_not_new(tmp_path: Path) -> None:
    known = encode(["prompt number 3"])
    written = write(tmp_path / "p.txt", Wanted(4, nearest_known=0.9), known=known)
    assert written.prompts == tuple(f"prompt number {n}" for n in (0, 1, 2, 4))
    assert written.known == 1


def test_when_nothing_new_comes_it_ends(tmp_path: Path) -> None:
    written = write(tmp_path / "p.txt", Wanted(100), lambda number: ["the only one"])
    assert written.prompts == ("the only one",)


def test_a_stopped_run_ends_in_the_same_file(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.txt")

    def failing(number: int) -> list[str]:
        if number == 2:
            raise KeyboardInterrupt
        return numbered(number)

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "parts.txt", candidates=failing)
    asked: list[int] = []

    def counted(number: int) -> list[str]:
        asked.append(number)
        return numbered(number)

    again = write(tmp_path / "parts.txt", candidates=counted)
    assert again.prompts == whole.prompts
    assert asked[0] == 2
    assert (tmp_path / "parts.txt").read_bytes() == (tmp_path / "whole.txt").read_bytes()


def test_other_settings_do_not_continue_a_run(tmp_path: Path) -> None:
    def stop(number: int) -> list[str]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "p.txt", candidates=stop)
    with pytest.raises(BadConfig, match="other settings"):
        write(tmp_path / "p.txt", seed=1)


def test_variety_tells_sameness_and_novelty() -> None:
    same = variety_of(["a cat"] * 3, encode(["a cat"] * 3), encode(["a cat"]))
    other = variety_of(["a cat", "two dogs"], encode(["a cat", "two dogs"]), encode(["a ship"]))
    assert same.mean_cosine == pytest.approx(1)
    assert same.nearest_known == pytest.approx(1)
    assert other.mean_cosine < 0.5
    assert other.distinct_1 == 1 > same.distinct_1
    assert other.nearest_known is not None and other.nearest_known < 0.5

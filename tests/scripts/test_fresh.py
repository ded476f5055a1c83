"""Pairs to judge on: met by nothing, near to no known prompt, one of a kind."""

from __future__ import annotations

from pathlib import Path

from training_samples import encode, write_pairs

from prompt_ensemble.core.seen_prompts import TRAINED_ON, SeenPrompts
from scripts.embedded.fresh import fresh_rows
from scripts.embedded.known_prompts import KnownPrompts


def test_what_was_met_or_is_known_is_not_judged_on(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "data", images_each=2)
    SeenPrompts.of(["a red wall"]).save(tmp_path / "weights" / "one" / TRAINED_ON)
    known = KnownPrompts(("a blue wall",), encode(["a blue wall"]))
    rows = fresh_rows(pairs, known, encode, tmp_path / "weights")
    assert sorted(pairs.prompts[row] for row in rows) == ["a green wall", "a grey wall"]

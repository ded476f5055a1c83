"""``prompt-ensemble write-prompts``, by the grammar and by a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_language_model import save_expander

from prompt_ensemble.cli.main import main


def test_the_grammar_writes_what_was_not_known(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    known = tmp_path / "known.txt"
    known.write_text("a cat sleeping in a library\na painting of a castle at night\n")
    asked = ["write-prompts", "--count", "30", "--out", str(tmp_path / "new.txt"), "--json"]
    assert main([*asked, "--known", str(known), "--novelty", "0.7", "--quiet"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert len((tmp_path / "new.txt").read_text().splitlines()) == record["prompts"] == 30
    assert record["nearest_known"] < 0.7
    assert record["mean_cosine"] < 0.5


def test_a_model_expands_starts(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    save_expander(tmp_path / "weights" / "expander", "a\nb\nc\n")
    (tmp_path / "starts.txt").write_text("ab\nab ab c\n")
    asked = ["write-prompts", "--count", "4", "--out", str(tmp_path / "new.txt"), "--quiet"]
    asked += ["--model", "expander", "--weights", str(tmp_path / "weights"), "--threshold", "1"]
    asked += ["--starts", str(tmp_path / "starts.txt"), "--batch-size", "8", "--longest", "8"]
    assert main(asked) == 0
    assert "4 prompts in" in capsys.readouterr().out
    lines = (tmp_path / "new.txt").read_text().splitlines()
    assert all(line.startswith("ab") and len(line) > 2 for line in lines)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--starts", "x.txt"], "expanded by a language model"),
        (["--novelty", "0.5"], "needs known prompts"),
        (["--model", "m", "--grammar", "g.toml"], "give one"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture, more: list[str], message: str
) -> None:
    assert main(["write-prompts", "--out", str(tmp_path / "new.txt"), *more]) != 0
    assert message in capsys.readouterr().err

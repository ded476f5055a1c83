"""The two commands behind make retrain-embedded and make evaluate-embedded, on tiny data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from training_samples import encode

from prompt_ensemble.core.errors import MissingWeights
from prompt_ensemble.core.files import file_digest
from prompt_ensemble.models.regressor.regressor_folder import load_regressor
from prompt_ensemble.models.weights import WeightRoots, embedded_folder
from prompt_ensemble.training.feature_head import source_scores
from scripts.embedded import __main__ as embedded
from scripts.embedded.__main__ import main
from scripts.embedded.recipes import CLIP, LITES


class QuickEncoder:
    """Three thousand texts about classes take a minute with the real one."""

    encode = staticmethod(encode)


THINGS = ("castle", "dog", "car", "forest", "robot", "bowl of fruit")


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Twelve pairs of two sources, open prompts, and the options that name them."""
    try:
        WeightRoots.usual().find("clip-vit-base-patch16")
    except MissingWeights as missing:  # make install goes on without it, so do the tests
        pytest.skip(str(missing))
    monkeypatch.setattr(source_scores, "FEWEST_PROMPTS", 6)
    monkeypatch.setattr(embedded, "SentenceEncoder", QuickEncoder)
    random, lines = np.random.default_rng(0), []
    for number in range(12):
        pixels = random.integers(0, 255, (24, 24, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        prompt = f"{('an oil painting', 'a photo')[number // 6]} of a {THINGS[number % 6]}"
        source = ("one", "two")[number // 6]
        record = {"image": f"{number}.png", "prompt": prompt, "source": source, "tier": "A"}
        lines.append(json.dumps(record))
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines))
    (tmp_path / "prompts.txt").write_text("\n".join(f"a {thing} at night" for thing in THINGS))
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "manifest.json").write_text('{"models": []}')
    markers = (f"<!-- scores {name} -->\n<!-- /scores {name} -->\n" for name in (CLIP, LITES))
    (tmp_path / "weights" / "MODEL_CARD.md").write_text("".join(markers))
    return [
        "--data", str(tmp_path / "pairs.jsonl"), "--open-prompts", str(tmp_path / "prompts.txt"),
        "--out", str(tmp_path / "run"),
    ]  # fmt: skip


def test_the_card_that_is_shipped_says_what_evaluation_prints(
    tmp_path: Path, given: list[str]
) -> None:
    weights = tmp_path / "weights"
    before = file_digest(embedded_folder() / "manifest.json")
    shipping = ["--revision", "9.9", "--weights", str(weights)]
    shipped = CliRunner().invoke(main, ["retrain", *given, *shipping])
    assert shipped.exit_code == 0, shipped.output
    printed = CliRunner().invoke(main, ["evaluate", *given])
    assert printed.exit_code == 0, printed.output
    card = (weights / "MODEL_CARD.md").read_text()
    rows = [line for line in printed.output.splitlines() if line.startswith("|")]
    assert len(rows) > 16 and all(row in card for row in rows)
    entries = json.loads((weights / "manifest.json").read_text())["models"]
    assert {entry["name"]: entry["revision"] for entry in entries} == {CLIP: "9.9", LITES: "9.9"}
    for name in (CLIP, LITES):
        _, model = load_regressor(weights / name, WeightRoots.usual())
        assert model.training["trained_on"] == 12
    assert file_digest(embedded_folder() / "manifest.json") == before

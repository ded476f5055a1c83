"""A trained regressor on its way into the package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.files import file_digest
from prompt_ensemble.models.weights import load_manifest
from scripts.embedded.score_tables import margin_table, public_table, source_table
from scripts.embedded.shipping import note_in_card, note_in_manifest, ship

SCORES = {
    "sources": {
        "here": {
            "images": 3, "prompts": 2, "interval": [0.4, 0.6],
            "scores": {"this model": 0.5, "constant": 0.25},
        }
    },
    "mean": {"this model": 0.5, "constant": 0.25},
    "margin_over": {"constant": {"mean": 0.25, "interval": [-0.125, 0.375]}},
}  # fmt: skip


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A weights folder with one other model, and a run next to it."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "regressor.json").write_text("{}")
    (run / "regressor.safetensors").write_bytes(b"numbers")
    (run / "trained_on.safetensors").write_bytes(b"prompts")
    folder = tmp_path / "weights"
    folder.mkdir()
    other = {
        "name": "other", "kind": "backbone", "source": "s", "revision": "1", "licence": "MIT",
        "files": [{"path": "f"}],
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps({"models": [other]}))
    return folder


def test_the_manifest_describes_the_files_that_are_there(weights: Path) -> None:
    ship(weights.parent / "run", "mine", "0.2.0", weights)
    entry = load_manifest(weights / "manifest.json")["mine"]
    assert entry.revision == "0.2.0"
    for file in entry.files:
        there = weights / entry.folder / file.path
        assert (file.bytes, file.sha256) == (there.stat().st_size, file_digest(there))


def test_shipping_again_replaces_the_entry_and_leaves_others(weights: Path) -> None:
    for number in range(2):
        (weights.parent / "run" / "regressor.safetensors").write_bytes(b"n" * number)
        ship(weights.parent / "run", "mine", "0.2.0", weights)
    models = json.loads((weights / "manifest.json").read_text())["models"]
    assert [model["name"] for model in models] == ["other", "mine"]
    assert models[1]["files"][1]["bytes"] == 1


def test_an_entry_keeps_its_place(weights: Path) -> None:
    for name in ("mine", "other"):
        note_in_manifest(weights / "manifest.json", {"name": name, "new": True})
    models = json.loads((weights / "manifest.json").read_text())["models"]
    assert [model["name"] for model in models] == ["other", "mine"]
    assert models[0] == {"name": "other", "new": True}


def test_tables_go_between_their_markers_and_nowhere_else(tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    card.write_text(
        "before\n<!-- scores mine -->\nold\n<!-- /scores mine -->\nbetween\n"
        "<!-- public -->\n<!-- /public -->\nafter\n"
    )
    for _ in range(2):
        note_in_card(card, {"mine": SCORES}, {"this model": 0.4})
    text = card.read_text()
    assert "old" not in text
    assert text.count("**0.5000**") == 2
    assert "| this model | 0.4000 |" in text
    assert text.startswith("before\n<!-- scores mine -->\n| source")
    assert text.endswith("| 0.4000 |\n<!-- /public -->\nafter\n")
    assert "<!-- /scores mine -->\nbetween\n<!-- public -->" in text


def test_a_card_without_markers_is_an_error_and_stays(tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    card.write_text("nothing")
    with pytest.raises(BadConfig, match="no single part from '<!-- scores mine -->'"):
        note_in_card(card, {"mine": SCORES}, {})
    assert card.read_text() == "nothing"


def test_tables_name_every_model_and_sign_margins() -> None:
    head, _, here, mean, *_ = source_table(SCORES).splitlines()
    assert head == "| source | images | prompts | this model | 95% interval | constant |"
    assert here == "| here | 3 | 2 | **0.5000** | 0.4000 to 0.6000 | 0.2500 |"
    assert mean.count("|") == head.count("|")
    assert "| constant | +0.2500 | -0.1250 to +0.3750 |" in margin_table(SCORES)
    assert public_table({"a": 0.12345}).endswith("| a | 0.1235 |\n")

"""A run answers in words where its configuration asks for them."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_writer import save_tiny_writer

from prompt_ensemble.core.errors import MissingWeights, PromptEnsembleError
from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.run.config import RunConfig, load_preset, parse_config
from prompt_ensemble.run.ensemble import load_ensemble
from prompt_ensemble.run.spoken_lines import lines_of_kind

SPEAKING = """
[words]
writer = "writer"
candidates = 2
[[members]]
name = "colour"
model = "colour"
"""


@pytest.fixture
def config(tmp_path: Path) -> tuple[RunConfig, Path]:
    save_tiny_writer(tmp_path / "weights" / "writer")
    return parse_config(SPEAKING, "speaking", "a test"), tmp_path / "weights"


@pytest.mark.usefixtures("colour")
def test_every_readable_image_has_a_prompt_and_its_trust(
    config: tuple[RunConfig, Path], photos: Path, tmp_path: Path
) -> None:
    with load_ensemble(config[0], weights=config[1]) as ensemble:
        prediction = ensemble.predict(photos, tmp_path / "out")
    assert set(prediction.prompts) == set(prediction.embeddings.image_ids)
    assert all(-1 <= prompt.trust <= 1 for prompt in prediction.prompts.values())
    with (tmp_path / "out" / "predictions.csv").open() as table:
        shown = {row["image_id"]: row["prompt"] for row in csv.DictReader(table)}
    assert shown == {name: prompt.text for name, prompt in prediction.prompts.items()}


@pytest.mark.usefixtures("colour")
def test_an_image_has_the_same_prompt_alone_and_in_a_run(
    config: tuple[RunConfig, Path], photos: Path
) -> None:
    with load_ensemble(config[0], weights=config[1]) as ensemble:
        together = ensemble.predict(photos).prompts
        alone = ensemble.predict(photos / "photo03.png").prompts
    assert alone["photo03"].text == together["photo03"].text


@pytest.mark.usefixtures("colour")
def test_who_needs_no_words_gets_none(config: tuple[RunConfig, Path], photos: Path) -> None:
    with load_ensemble(config[0], weights=config[1]) as ensemble:
        silent = ensemble.predict(photos, words=False)
        speaking = ensemble.predict(photos)
    assert silent.words is None
    assert np.allclose(silent.embeddings.vectors, speaking.embeddings.vectors, atol=1e-6)


@pytest.mark.usefixtures("colour")
def test_missing_words_are_found_before_any_image(
    config: tuple[RunConfig, Path], photos: Path
) -> None:
    shutil.rmtree(config[1] / "writer")
    with pytest.raises(MissingWeights, match="writer"):
        load_ensemble(config[0], weights=config[1])


@pytest.mark.usefixtures("colour")
def test_the_blend_is_handed_on_with_its_prompt(
    config: tuple[RunConfig, Path], photos: Path
) -> None:
    with load_ensemble(config[0], weights=config[1]) as ensemble:
        prediction = ensemble.predict(photos)
        handed = ensemble.answer(ensemble.survey(photos)).outputs
    first = handed.image_ids[0]
    assert handed.lines[0][0] == Line("caption", *vars(prediction.prompts[first]).values())
    assert np.allclose(handed.vectors, prediction.embeddings.take(handed.image_ids).vectors)


def test_lines_of_a_kind_are_gathered_from_all_members() -> None:
    first = Outputs.of_lines(("a", "b"), ((Line("caption", "x", 0.0),), ()))
    second = Outputs.of_lines(
        ("b", "a"), ((Line("caption", "y", 0.0),), (Line("medium", "z", 1.0),))
    )
    gathered = lines_of_kind("caption", [first, second])
    assert {name: [line.text for line in lines] for name, lines in gathered.items()} == {
        "a": ["x"], "b": ["y"],
    }  # fmt: skip


def test_the_embedded_preset_speaks() -> None:
    words = load_preset("embedded").words
    assert words is not None
    assert words.writer and words.phrases


@pytest.mark.usefixtures("colour")
@pytest.mark.parametrize("file", ["writer.json", "tokenizer.json", "writer.safetensors"])
def test_a_damaged_writer_is_found_before_any_image(
    config: tuple[RunConfig, Path], photos: Path, tmp_path: Path, file: str
) -> None:
    (config[1] / "writer" / file).unlink()
    with (
        load_ensemble(config[0], weights=config[1]) as ensemble,
        pytest.raises(PromptEnsembleError, match=file),
    ):
        ensemble.predict(photos, tmp_path / "out")
    assert not (tmp_path / "out" / "store").exists()


@pytest.mark.usefixtures("colour")
def test_an_interrogation_starts_from_the_ensembles_own_prompt(
    config: tuple[RunConfig, Path], photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "flavors.txt").write_text("red\ngreen\nblue")
    options = {
        "lists": {"flavors": str(tmp_path / "flavors.txt")}, "flavors": 1,
        "counts": {"artists": 0, "mediums": 0, "movements": 0, "trendings": 0},
    }  # fmt: skip
    (photos / "photo00.png").write_bytes(b"no picture")
    with load_ensemble(config[0], weights=config[1]) as ensemble:
        asked = ensemble.interrogate(photos, **options)
        prompts = ensemble.predict(photos / "photo03.png").prompts
    assert "photo00" not in asked
    start, phrase = asked["photo03"].rsplit(", ", 1)
    assert start == prompts["photo03"].text
    assert phrase in ("red", "green", "blue")

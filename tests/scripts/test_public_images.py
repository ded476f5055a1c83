"""Scores on a folder of images whose prompts are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from training_samples import encode

from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.submission import write_submission
from prompt_ensemble.models.weights import WeightRoots
from scripts.embedded.public_images import public_scores

ROOTS = WeightRoots.usual()
MODEL = "embedded-lite0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images, their prompts, and a submission that knows them."""
    (tmp_path / "images").mkdir()
    for name, colour in (("a", "red"), ("b", "blue")):
        Image.new("RGB", (40, 40), colour).save(tmp_path / "images" / f"{name}.png")
    (tmp_path / "prompts.csv").write_text("imgId,prompt\nb,a blue wall\na,a red wall\n")
    known = Embeddings.of(["a", "b", "c"], encode(["a red wall", "a blue wall", "more"]))
    write_submission(tmp_path / "someone_lb_0.5.csv", known)
    return tmp_path


def test_models_the_constant_and_submissions_are_scored_alike(folder: Path) -> None:
    scores = public_scores(folder, [MODEL], encode, ROOTS)
    assert list(scores) == [MODEL, "constant, open prompts", "someone_lb_0.5"]
    assert scores["someone_lb_0.5"] == pytest.approx(1, abs=1e-4)
    prior = Embeddings.load(ROOTS.find("embedded-prior").path / "prior.safetensors").vectors
    truth = encode(["a red wall", "a blue wall"])
    assert scores["constant, open prompts"] == pytest.approx(float(np.mean(truth @ prior[0])))


def test_an_image_that_is_missing_is_named(folder: Path) -> None:
    (folder / "images" / "b.png").unlink()
    with pytest.raises(BadConfig, match="lacks image 'b'"):
        public_scores(folder, [MODEL], encode, ROOTS)

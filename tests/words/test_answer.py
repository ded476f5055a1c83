"""The answer in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_writer import TEXTS, rows, save_tiny_writer

from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.outputs import Line
from prompt_ensemble.core.text_faults import is_broken, is_empty, is_repetitive
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.words.answer import Speaker, choose
from prompt_ensemble.words.options import WordsOptions
from prompt_ensemble.words.writing import Candidate

CPU = Placement(torch.device("cpu"), torch.float32)
BLEND = Embeddings(("a", "b", "c"), rows(3))


def encode(texts: Sequence[str]) -> np.ndarray:
    """Known texts have known rows, others some row of their own."""
    known = dict(zip(TEXTS, rows(len(TEXTS)), strict=True))
    drawn = [known.get(text, rows(1, seed=sum(text.encode()))[0]) for text in texts]
    return np.stack(drawn) if drawn else np.empty((0, 384), np.float32)


def speaker(roots: Path | None = None, **options: object) -> Speaker:
    found = WeightRoots.usual((roots,) if roots else ())
    settings = WordsOptions(**options)  # type: ignore[arg-type]
    return Speaker(settings, found, CPU)


def captions(*texts: str) -> dict[str, list[Line]]:
    return {name: [Line("caption", text, 0.0)] for name, text in zip("abc", texts, strict=False)}


def test_the_nearest_candidate_is_the_prompt() -> None:
    said = {"a": [Line("caption", TEXTS[4], 0.0), Line("caption", TEXTS[0], 0.0)]}
    found = speaker().say(BLEND.take(["a"]), said, {}, encode)
    assert found.lines[0][0].text == TEXTS[0]
    assert found.lines[0][0].score == pytest.approx(1.0, abs=1e-5)


def test_a_caption_that_its_captioner_found_unlikely_counts_less() -> None:
    near, unlikely = TEXTS[0], -20.0
    said = {"a": [Line("caption", near, unlikely), Line("caption", TEXTS[4], -1.0)]}
    speaking = speaker(fluency=0.2)
    assert speaking.say(BLEND.take(["a"]), said, {}, encode).lines[0][0].text == TEXTS[4]
    said["a"][0] = Line("caption", near, -1.0)
    assert speaking.say(BLEND.take(["a"]), said, {}, encode).lines[0][0].text == near


def test_known_prompts_are_candidates_and_are_shown() -> None:
    known = {"a": [Line("neighbour", TEXTS[0], 0.7)]}
    found = speaker().say(BLEND.take(["a"]), captions(TEXTS[4]), known, encode)
    assert [line.kind for line in found.lines[0]] == ["prompt", "known"]
    assert [line.text for line in found.lines[0]] == [TEXTS[0], TEXTS[0]]


def test_an_image_gets_the_same_prompt_alone_and_beside_others(tmp_path: Path) -> None:
    save_tiny_writer(tmp_path / "writer")
    speaking = speaker(tmp_path, writer="writer", candidates=5)
    together = speaking.say(BLEND, {}, {}, encode)
    alone = [speaking.say(BLEND.take([name]), {}, {}, encode).lines[0] for name in "abc"]
    assert [lines[0].text for lines in together.lines] == [lines[0].text for lines in alone]


def test_what_is_written_is_sound(tmp_path: Path) -> None:
    save_tiny_writer(tmp_path / "writer")
    speaking = speaker(tmp_path, writer="writer", candidates=20)
    assert speaking.writer is not None
    written = speaking.writer.write(rows(20), 20, 1.0)
    texts = [one.text for image in written for one in image]
    assert texts
    assert not [t for t in texts if is_empty(t) or is_broken(t) or is_repetitive(t)]


def test_once_it_is_late_no_prompt_is_said() -> None:
    found = speaker().say(BLEND, captions(*TEXTS[:3]), {}, encode, late=lambda: True)
    assert found.lines == ((), (), ())


def test_fluency_decides_between_texts_that_are_as_near() -> None:
    texts = [Candidate("word salad", -8.0), Candidate("a cat", -1.0)]
    target = rows(1)
    (found,) = choose([texts], target, lambda t: np.repeat(target, len(t), 0), fluency=0.02)
    assert found.text == "a cat"


@pytest.mark.parametrize("wrong", [{"candidates": 0}, {"temperature": 0.0}, {"rounds": -1}])
def test_options_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadConfig, match=r"\[words\]"):
        WordsOptions(**wrong)  # type: ignore[arg-type]

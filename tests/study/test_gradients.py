"""Gradients of words with respect to pixels."""

import numpy as np
import pytest
import torch
from PIL import Image

from prompt_ensemble.images.survey import survey
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.study.gradients import Question, word_maps

CPU = torch.device("cpu")


@pytest.fixture
def question():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    (image,) = survey({"one": Image.fromarray(pixels)}).good
    return Question(image, "A large dog, running", "dog")


@pytest.mark.parametrize("kind", ["blip", "git"])
def test_the_likelihood_is_that_of_the_word_after_those_before_it(captioners, make, question, kind):
    predictor = make(kind, captioners / kind)
    (found,) = word_maps(predictor, [question], CPU)
    published = predictor.read(choose_placement("cpu"))
    searching = predictor.searching(published)
    before, word = (predictor.pieces(published, text) for text in ("A large", "dog"))
    tokens = torch.tensor([[*searching.prompt, *before, *word]])
    pixels = published.preprocessing.normalise(searching.prepare(question.image.load())[None])
    with torch.no_grad():
        chances = predictor.logits(published, pixels, tokens)[0].log_softmax(-1)
    start = len(tokens[0]) - len(word) - 1
    wanted = sum(chances[start + n, token] for n, token in enumerate(word))
    assert found.log_likelihood == pytest.approx(float(wanted), rel=1e-4)
    assert found.pull.shape == (16, 16)
    assert found.pull.max() > 0


def test_a_word_that_is_not_in_the_prompt_has_no_map(captioners, make, question):
    absent = Question(question.image, question.prompt, "cat")
    assert list(word_maps(make("blip", captioners / "blip"), [absent], CPU)) == []

"""The phrase member on vectors whose nearest phrases are known."""

import numpy as np
import pytest
import torch

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.members.contract import Batch
from prompt_ensemble.members.phrases.phrase_predictor import PhraseOptions, PhrasePredictor
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.sentence_encoder import SentenceEncoder
from prompt_ensemble.models.weights import WeightRoots

CPU = Placement(torch.device("cpu"), torch.float32)
TEXTS = ["a watercolor painting", "surrealism"]


@pytest.fixture(scope="module")
def seen():
    return Outputs.of_vectors(("a", "b"), SentenceEncoder().encode(TEXTS) * 3)


def find(seen, **options):
    chosen = PhraseOptions(vectors_from="tower", banks=("mediums", "movements"), **options)
    predictor = PhrasePredictor("", chosen, WeightRoots(()))
    return predictor.open(CPU).run(Batch(("b", "a"), needed={"tower": seen.take(["b", "a"])}))


def test_a_phrase_is_nearest_to_itself(seen):
    outputs = find(seen)
    first = {(line.kind, line.text) for line in outputs.lines[1] if line.score > 0.999}
    assert first == {("medium", "a watercolor painting")}
    assert any(line.text == "surrealism" and line.score > 0.999 for line in outputs.lines[0])


def test_every_bank_names_its_share(seen):
    kinds = [line.kind for line in find(seen, shown=2).lines[0]]
    assert kinds == ["medium", "medium", "movement", "movement"]


def test_one_nearest_phrase_is_its_own_embedding(seen):
    vectors = find(seen, nearest=1).vectors
    assert np.allclose(vectors[1], seen.vectors[0] / 3, atol=1e-5)


def test_many_nearest_phrases_pull_towards_their_mean(seen):
    cosine = (find(seen, nearest=100, power=0.0).vectors[1] @ seen.vectors[0]) / 3
    assert cosine < 0.9


def test_it_must_be_told_whose_vectors():
    with pytest.raises(BadConfig, match="vectors_from"):
        PhrasePredictor("", PhraseOptions(), WeightRoots(()))


def test_its_identity_follows_options_and_lists():
    def identity(**options):
        return PhrasePredictor("", PhraseOptions("x", **options), WeightRoots(())).identity()

    assert identity() == identity()
    assert identity() != identity(nearest=7)
    assert identity() != identity(banks=("mediums",))

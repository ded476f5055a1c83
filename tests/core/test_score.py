"""The competition's score."""

import numpy as np
import pytest

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings
from prompt_ensemble.core.errors import MismatchedIds
from prompt_ensemble.core.score import cosines, mean_cosine, score


def embeddings(ids: str, seed: int) -> Embeddings:
    vectors = np.random.default_rng(seed).normal(size=(len(ids), EMBEDDING_WIDTH))
    return Embeddings.of(ids, vectors)


def test_the_score_is_the_mean_of_cosines_joined_by_id():
    predicted, truth = embeddings("abcd", 1), embeddings("dcba", 2)
    by_hand = [
        float(predicted.vectors["abcd".index(i)] @ truth.vectors["dcba".index(i)]) for i in "dcba"
    ]
    assert np.allclose(cosines(predicted, truth), by_hand)
    assert mean_cosine(predicted, truth) == pytest.approx(np.mean(by_hand), abs=1e-6)


def test_the_truth_scores_one_against_itself():
    truth = embeddings("abc", 0)
    assert mean_cosine(truth, truth) == pytest.approx(1)


def test_a_missing_image_is_an_error_not_a_better_score():
    with pytest.raises(MismatchedIds, match="'c'"):
        mean_cosine(embeddings("ab", 0), embeddings("abc", 0))


def test_a_stranger_is_an_error():
    with pytest.raises(MismatchedIds, match="'x'"):
        mean_cosine(embeddings("abx", 0), embeddings("ab", 0))


def test_the_same_predictions_give_the_same_interval():
    one, two = embeddings("abcdef", 1), embeddings("abcdef", 2)
    assert score(one, two) == score(one, two)

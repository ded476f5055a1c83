"""The real encoder, against the competition's published numbers."""

import json
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.models.sentence_encoder import SentenceEncoder

GOLDEN = Path(__file__).parents[1] / "golden" / "competition.safetensors"


@pytest.fixture(scope="module")
def encoder():
    return SentenceEncoder()


def test_the_competitions_seven_prompts_get_the_published_numbers(encoder):
    """The values of the competition's sample_submission.csv are the embeddings of its prompts."""
    with safe_open(GOLDEN, framework="numpy") as file:
        prompts = json.loads(file.metadata()["prompts"])
        published = file.get_tensor("vectors")
    assert np.abs(encoder.encode(prompts) - published).max() < 1e-6


def test_texts_come_back_in_their_order_whatever_their_length(encoder):
    texts = ["a cat", "a very long prompt, " * 20, "", "a dog", "a cat"]
    together = encoder.encode(texts)
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    assert np.abs(together - alone).max() < 1e-5
    assert np.array_equal(together[0], together[4])


def test_rows_have_length_one(encoder):
    assert np.allclose(np.linalg.norm(encoder.encode(["a", "b"]), axis=1), 1, atol=1e-6)


def test_no_texts_give_no_rows(encoder):
    assert encoder.encode([]).shape == (0, 384)


def test_a_folder_that_is_no_encoder_is_one_clear_error(tmp_path):
    with pytest.raises(BadWeights, match=r"expected modules\.json"):
        SentenceEncoder(tmp_path).encode(["a"])


def test_progress_moves_long_before_four_thousand_texts(encoder):
    moved = []

    @contextmanager
    def watched(stage, total, unit="image"):
        yield moved.append

    encoder.encode([f"cat {number}" for number in range(1100)], progress=watched)
    assert sum(moved) == 1100
    assert max(moved) <= 1000

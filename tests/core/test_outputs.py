"""What a model saw travels with what it said: by image, over batches, through the disk."""

from __future__ import annotations

import numpy as np
import pytest

from prompt_ensemble.core.errors import MismatchedIds
from prompt_ensemble.core.outputs import Outputs, from_bytes, join, to_bytes

VECTORS = np.arange(6, dtype=np.float32).reshape(3, 2)
FEATURES = np.arange(12, dtype=np.float32).reshape(3, 4)
WITH = Outputs.of_vectors("abc", VECTORS, FEATURES)
WITHOUT = Outputs.of_vectors("abc", VECTORS)


def test_features_survive_the_disk() -> None:
    read = from_bytes(to_bytes(WITH))
    assert np.array_equal(read.features, FEATURES)
    assert from_bytes(to_bytes(WITHOUT)).features is None


def test_outputs_without_features_have_the_bytes_they_always_had() -> None:
    assert b"features" not in to_bytes(WITHOUT)


def test_features_are_taken_with_their_images() -> None:
    assert np.array_equal(WITH.take("ca").features, FEATURES[[2, 0]])
    assert WITHOUT.take("ca").features is None


def test_features_of_batches_are_joined() -> None:
    parts = [WITH.take("ab"), WITH.take("c")]
    assert np.array_equal(join(parts).features, FEATURES)


def test_features_that_only_some_batches_have_are_left_out() -> None:
    assert join([WITH.take("ab"), WITHOUT.take("c")]).features is None


def test_a_row_of_features_an_image_is_a_must() -> None:
    with pytest.raises(MismatchedIds, match="2 rows of features"):
        Outputs.of_vectors("abc", VECTORS, FEATURES[:2])

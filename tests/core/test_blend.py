"""The blend: by id, by weight, and nothing else."""

import numpy as np
import pytest

from prompt_ensemble.core.blend import blend
from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings, unit_rows
from prompt_ensemble.core.errors import BadConfig, MismatchedIds

IDS = ("a", "b", "c", "d")


def member(seed: int, scale: float = 1.0) -> Embeddings:
    vectors = np.random.default_rng(seed).normal(size=(4, EMBEDDING_WIDTH))
    return Embeddings.of(IDS, vectors * scale)


def test_the_blend_is_the_weighted_mean_of_directions():
    one, two = member(1), member(2)
    blended = blend({"one": one, "two": two}, {"one": 0.7, "two": 0.3})
    expected = unit_rows(0.7 * one.vectors + 0.3 * two.vectors)
    assert np.allclose(blended.vectors, expected, atol=1e-6)


def test_the_order_of_one_members_images_does_not_matter():
    one, two = member(1), member(2)
    weights = {"one": 0.6, "two": 0.4}
    turned = two.take(["c", "a", "d", "b"])
    straight = blend({"one": one, "two": two}, weights)
    assert np.array_equal(straight.vectors, blend({"one": one, "two": turned}, weights).vectors)


def test_the_order_in_which_members_are_named_does_not_change_a_bit():
    parts = {name: member(seed) for seed, name in enumerate("xyz")}
    weights = {"x": 0.1, "y": 0.2, "z": 0.7}
    back = {name: parts[name] for name in "zyx"}
    assert np.array_equal(blend(parts, weights).vectors, blend(back, weights).vectors)


@pytest.mark.parametrize(
    "weights", [{"one": 1.0}, {"one": 1.0, "two": 1.0, "three": 1.0}], ids=["missing", "extra"]
)
def test_members_and_weights_must_be_the_same(weights):
    with pytest.raises(BadConfig, match=r"two|three"):
        blend({"one": member(1), "two": member(2)}, weights)


@pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf")])
def test_a_weight_that_makes_no_sense_is_refused(weight):
    with pytest.raises(BadConfig, match="weight of 'one'"):
        blend({"one": member(1)}, {"one": weight})


def test_all_weights_zero_is_refused():
    with pytest.raises(BadConfig, match="all weights"):
        blend({"one": member(1)}, {"one": 0.0})


def test_members_that_saw_different_images_are_refused():
    other = Embeddings.of(("a", "b", "c", "x"), member(2).vectors)
    with pytest.raises(MismatchedIds, match="'d'"):
        blend({"one": member(1), "two": other}, {"one": 1, "two": 1})

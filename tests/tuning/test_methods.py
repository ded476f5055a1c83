"""Weights: the known optimum is found, the gradient is the slope, references do their part."""

import numpy as np
import pytest
from synthetic_members import known_optimum, noisy_members

from prompt_ensemble.core.blend import blend
from prompt_ensemble.core.score import cosines
from prompt_ensemble.tuning import methods
from prompt_ensemble.tuning.objective import blend_cosines, mean_and_gradient
from prompt_ensemble.tuning.statistics import gather


@pytest.mark.parametrize("members", range(2, 13))
def test_the_known_optimum_is_found(members):
    parts, truth, weights, best = known_optimum(members, seed=members)
    statistics = gather(parts, truth)
    fitted = methods.mean_cosine(statistics)
    assert blend_cosines(statistics, fitted).mean() == pytest.approx(best, abs=1e-4)
    assert np.allclose(fitted, weights, atol=0.01)
    assert fitted.min() >= 0
    assert fitted.sum() == pytest.approx(1)


def test_inner_products_score_as_the_blend_itself_does():
    parts, truth = noisy_members([1, 2, 3], images=50)
    shuffled = {name: part.take(part.image_ids[::-1]) for name, part in parts.items()}
    weights = {"m0": 0.2, "m1": 0.7, "m2": 0.1}
    by_products = blend_cosines(gather(shuffled, truth), np.array([0.2, 0.7, 0.1]))
    assert np.allclose(by_products, cosines(blend(parts, weights), truth), atol=1e-6)


def test_the_gradient_is_the_slope():
    statistics = gather(*noisy_members([1, 2, 3, 4], images=80))
    weights = np.array([0.1, 0.5, 0.0, 0.4])
    _, gradient = mean_and_gradient(statistics, weights)

    def mean(there):
        return mean_and_gradient(statistics, there)[0]

    step = 1e-6 * np.eye(4)
    slope = [
        (mean(weights + s) - mean(weights - s))
        / 2e-6
        for s in step
    ]  # fmt: skip
    assert np.allclose(gradient, slope, atol=1e-6)


def test_the_optimum_beats_all_references_on_the_images_it_is_fitted_to():
    statistics = gather(*noisy_members([1.0, 1.5, 4.0, 8.0]))
    best = blend_cosines(statistics, methods.mean_cosine(statistics)).mean()
    for reference in (methods.equal, methods.best_single, methods.least_squares,
                      methods.nelder_mead):  # fmt: skip
        assert blend_cosines(statistics, reference(statistics)).mean() <= best + 1e-9
    assert blend_cosines(statistics, methods.nelder_mead(statistics)).mean() > best - 1e-3
    assert blend_cosines(statistics, methods.least_squares(statistics)).mean() > best - 5e-3


def test_a_useless_member_gets_nothing():
    parts, truth = noisy_members([1.0, 1.2])
    away = {"away": type(truth)(truth.image_ids, -truth.vectors)}
    weights = methods.mean_cosine(gather({**parts, **away}, truth))
    assert weights[0] == 0


def test_members_that_are_all_alike_share_evenly_or_anyhow_but_finitely():
    parts, truth = noisy_members([1.0])
    twins = {"a": parts["m0"], "b": parts["m0"]}
    statistics = gather(twins, truth)
    for method in (methods.mean_cosine, methods.least_squares):
        assert method(statistics).sum() == pytest.approx(1)


def test_some_members_of_statistics_are_those_members():
    parts, truth = noisy_members([1, 2, 3, 4], images=30)
    few = gather({name: parts[name] for name in ("m1", "m3")}, truth)
    chosen = gather(parts, truth).members(["m1", "m3"])
    assert np.array_equal(few.among, chosen.among)
    assert np.array_equal(few.to_truth, chosen.to_truth)

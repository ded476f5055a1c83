"""Ridge heads, on problems with a known answer."""

import numpy as np
import torch

from prompt_ensemble.training.feature_head.ridge_head import (
    coefficients,
    fit_ridge_head,
    ridge_module,
    source_offsets,
    starting_point,
)

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(300, 8)) * np.arange(1, 9)
SLOPE = RANDOM.normal(size=(8, 384))
TARGETS = FEATURES @ SLOPE + 5
ONES = np.ones(300)


def test_without_penalty_a_linear_map_is_found_exactly():
    head = fit_ridge_head(FEATURES, TARGETS, ONES, TARGETS.mean(axis=0), penalty=0)
    assert np.allclose(head(FEATURES), TARGETS, atol=0.05)


def test_a_great_penalty_leaves_only_the_base():
    base = np.arange(384.0)
    head = fit_ridge_head(FEATURES, TARGETS, ONES, base, penalty=1e9)
    assert np.allclose(head(FEATURES), base, atol=1e-3)


def test_rows_of_weight_zero_teach_nothing():
    weights = ONES.copy()
    weights[150:] = 0
    spoiled = TARGETS.copy()
    spoiled[150:] = 1e3
    base = TARGETS[:150].mean(axis=0)
    head = fit_ridge_head(FEATURES, spoiled, weights, base, penalty=0)
    assert np.allclose(head(FEATURES[:150]), TARGETS[:150], atol=0.1)


def test_a_feature_that_never_fires_does_no_harm():
    features = FEATURES.copy()
    features[:, 3] = 0
    head = fit_ridge_head(features, TARGETS, ONES, TARGETS.mean(axis=0))
    assert np.isfinite(head(FEATURES)).all()


def test_the_module_is_the_same_map():
    head = fit_ridge_head(FEATURES, TARGETS, ONES, np.zeros(384))
    module, spec = ridge_module(head)
    assert (spec.kind, spec.inputs) == ("linear", 8)
    with torch.inference_mode():
        rows = module(torch.from_numpy(FEATURES).float()).numpy()
    assert np.allclose(rows, head(FEATURES), rtol=1e-3, atol=1e-2)


def test_starting_point_is_as_long_as_the_targets_lean_that_way():
    direction = np.eye(384)[0]
    targets = np.eye(384)[[0, 1, 2, 3]]
    assert np.allclose(starting_point(direction, targets, np.ones(4)), direction / 4)
    assert np.allclose(starting_point(direction, targets, np.array([1, 0, 0, 1])), direction / 2)


def test_many_features_and_few_rows_give_the_same_as_the_other_system():
    rows = RANDOM.normal(size=(20, 50)).astype(np.float32)
    answers, shares = RANDOM.normal(size=(20, 3)), np.full(20, 0.05)
    fitted = coefficients(rows, answers, shares, 0.5)
    system = (rows.T * shares) @ rows + 0.5 * np.eye(50)
    assert np.allclose(fitted, np.linalg.solve(system, (rows.T * shares) @ answers), atol=1e-4)


def test_what_a_source_has_in_common_is_not_laid_to_the_features():
    """The second source's prompts differ by a constant, and its pictures by the first feature."""
    features = RANDOM.normal(size=(200, 4))
    targets = features @ RANDOM.normal(size=(4, 384))
    offset = np.repeat([0.0, 1.0], 100)
    features[:, 0] += 2 * offset
    targets = targets + 30 * offset[:, None] - features[:, :1]
    sources = ["one"] * 100 + ["two"] * 100
    ones, base = np.ones(200), targets.mean(axis=0)
    offsets = source_offsets(sources, 1e4)
    with_offsets = fit_ridge_head(features, targets, ones, base, 1e-3, offsets=offsets)
    without = fit_ridge_head(features, targets, ones, base, 1e-3)
    true = np.linalg.lstsq(
        np.hstack([features, np.stack([1 - offset, offset], axis=1)]), targets, rcond=None
    )[0][:4]
    assert np.abs(with_offsets.slope - true).max() < 0.1
    assert np.abs(without.slope - true).max() > 1


def test_a_great_penalty_leaves_the_slope_that_it_pulls_to():
    pull = RANDOM.normal(size=(8, 384))
    head = fit_ridge_head(FEATURES, TARGETS, ONES, np.zeros(384), penalty=1e12, pull=pull)
    assert np.allclose(head.slope, pull, atol=1e-3)


def test_damping_maps_differences_and_leaves_the_base():
    base = np.arange(384.0)
    head = fit_ridge_head(FEATURES, TARGETS, ONES, base, damping=np.zeros((384, 384)))
    assert np.array_equal(head(FEATURES), np.tile(base, (300, 1)))

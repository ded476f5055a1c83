"""Ridge heads, on problems with a known answer."""

import numpy as np
import torch

from prompt_ensemble.training.ridge_head import as_module, fit_ridge_head, starting_point

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
    module, spec = as_module(head)
    assert (spec.kind, spec.inputs) == ("linear", 8)
    with torch.inference_mode():
        rows = module(torch.from_numpy(FEATURES).float()).numpy()
    assert np.allclose(rows, head(FEATURES), rtol=1e-3, atol=1e-2)


def test_starting_point_is_as_long_as_the_targets_lean_that_way():
    direction = np.eye(384)[0]
    targets = np.eye(384)[[0, 1, 2, 3]]
    assert np.allclose(starting_point(direction, targets, np.ones(4)), direction / 4)
    assert np.allclose(starting_point(direction, targets, np.array([1, 0, 0, 1])), direction / 2)

"""The kernel head: what it learns, and that what is saved is what was learnt."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, unit_rows
from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.models.regressor.head import HeadSpec, build_head
from prompt_ensemble.training.feature_head.kernel_head import (
    KernelFit,
    fit_kernel_head,
    kernel_module,
)

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(30, 8))
TARGETS = unit_rows(RANDOM.normal(size=(30, EMBEDDING_WIDTH)))
BASE = unit_rows(np.ones((1, EMBEDDING_WIDTH)))[0]
SOURCES = ["one", "two", "three"] * 10


def fit(penalty: float = 1e-9, **options: object) -> KernelFit:
    """A head on the features above."""
    weights = np.ones(len(FEATURES))
    return fit_kernel_head(FEATURES, TARGETS, weights, BASE, penalty, 4.0, **options)  # type: ignore[arg-type]


def test_without_a_penalty_it_learns_by_heart() -> None:
    learnt = fit()(FEATURES) - BASE
    assert np.allclose(learnt, TARGETS - TARGETS.mean(axis=0), atol=1e-5)


def test_with_a_huge_penalty_it_predicts_the_average_prompt() -> None:
    assert np.allclose(fit(penalty=1e9)(FEATURES), BASE, atol=1e-6)


def test_the_length_of_features_does_not_matter() -> None:
    head = fit(penalty=0.01)
    assert np.allclose(head(FEATURES), head(FEATURES * 7), atol=1e-5)


def test_what_images_of_a_source_share_is_laid_to_the_source() -> None:
    """Targets that only tell the source: with offsets for sources nearly nothing is learnt."""
    rows = unit_rows(np.random.default_rng(1).normal(size=(3, EMBEDDING_WIDTH)))
    targets = np.array([rows[["one", "two", "three"].index(name)] for name in SOURCES])
    weights = np.ones(len(FEATURES))

    def spread(share: float) -> float:
        head = fit_kernel_head(
            FEATURES, targets, weights, BASE, 0.01, 4.0, sources=SOURCES, source_share=share
        )
        return float(np.abs(head(FEATURES) - BASE).mean())

    assert spread(100.0) < 0.1 * spread(0.0)


def test_damping_is_the_last_map() -> None:
    damping = np.diag(np.linspace(0, 1, EMBEDDING_WIDTH))
    whole = fit(penalty=0.01)(FEATURES) - BASE
    assert np.allclose(fit(penalty=0.01, damping=damping)(FEATURES) - BASE, whole @ damping)


def test_the_module_predicts_what_was_fitted() -> None:
    head = fit(penalty=0.01)
    module, spec = kernel_module(head)
    again = build_head(spec)
    again.load_state_dict(module.state_dict())
    predicted = again(torch.from_numpy(FEATURES).float()).detach().numpy()
    assert np.allclose(predicted, head(FEATURES), atol=1e-5)


def test_votes_are_counted_in_full_precision() -> None:
    module, _ = kernel_module(fit(penalty=0.01))
    features = torch.from_numpy(FEATURES).float()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(module(features), module(features.clone()))
        assert module(features).dtype == torch.float32


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(BadWeights, match="known: linear, large, mlp, kernel"):
        build_head(HeadSpec("cubic", 8))

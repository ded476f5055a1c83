"""Leave-one-source-out scores and their controls."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.training.feature_head.source_scores import (
    judged_sources,
    mean_margin,
    prompt_cosines,
    score_sources,
)

SOURCES = np.array(["one", "two"] * 40)
PROMPTS = [f"prompt {number}" for number in range(80)]
TARGETS = unit_rows(np.random.default_rng(0).normal(size=(80, 384)))


def knowing(training: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Predicts the truth with some noise."""
    noise = np.random.default_rng(1).normal(size=TARGETS.shape) / 20
    return lambda rows: TARGETS[rows] + noise[rows]


def test_a_model_that_knows_beats_the_controls_on_every_source() -> None:
    scores = score_sources(
        {"knowing": knowing}, TARGETS, PROMPTS, SOURCES, np.arange(80), ["one", "two"], TARGETS[0]
    )
    for entry in scores["sources"].values():
        assert entry["scores"]["knowing"] > 0.6
        assert all(low > 0 for low, _ in entry["margins"].values())
    assert scores["margin_over"]["shuffled images"]["interval"][0] > 0.3


def test_a_model_never_trains_on_the_source_nor_on_its_groups() -> None:
    groups = np.arange(80)
    groups[2] = groups[3]  # a prompt of source one that is nearly one of source two
    seen: list[np.ndarray] = []

    def noting(training: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        seen.append(training)
        return lambda rows: TARGETS[rows]

    score_sources({"m": noting}, TARGETS, PROMPTS, SOURCES, groups, ["one", "two"], TARGETS[0])
    assert len(seen) == 2
    assert set(SOURCES[seen[0]]) == {"two"} and 3 not in seen[0]
    assert set(SOURCES[seen[1]]) == {"one"} and 2 not in seen[1]


def test_prompts_with_many_images_count_once() -> None:
    targets = np.eye(3, dtype=np.float32)
    cosines = prompt_cosines({"m": np.eye(3)[[0, 1, 0]]}, targets, ["a", "a", "b"])
    assert cosines["m"].tolist() == [1.0, 0.0]


def test_only_sources_of_tier_a_with_many_prompts_are_judged() -> None:
    prompts = [f"{n}" for n in range(100)] + ["same"] * 100 + [f"{n}" for n in range(100)]
    sources = np.repeat(["many", "few", "other"], 100)
    tiers = np.repeat(["A", "A", "B"], 100)
    assert judged_sources(prompts, sources, tiers) == ["many"]


def test_interval_holds_the_mean_margin() -> None:
    margins = [np.random.default_rng(n).normal(0.1, 0.05, 200) for n in range(3)]
    margin = mean_margin(margins)
    low, high = margin["interval"]
    assert low < margin["mean"] < high
    assert margin["mean"] == pytest.approx(0.1, abs=0.01)

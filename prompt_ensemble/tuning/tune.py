"""Tuning: from predictions on validation images and their truth to a blend and its record."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from prompt_ensemble.core.blend import PRIOR
from prompt_ensemble.core.certainty import Signals, agreement
from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.intervals import Difference, Resampling
from prompt_ensemble.core.progress import Advance, Progress, silent
from prompt_ensemble.data.splits import check_folds
from prompt_ensemble.run.tuned_blend import (
    TriedMethod,
    TunedBlend,
    TunedMember,
    Validation,
)
from prompt_ensemble.tuning import methods
from prompt_ensemble.tuning.cross_validation import held_out_cosines, without_member
from prompt_ensemble.tuning.gate_fit import fit_gate
from prompt_ensemble.tuning.ladder import EQUAL, GATED, SINGLE, TUNED, Ladder, climb
from prompt_ensemble.tuning.statistics import Statistics, gather


def tune(
    parts: Mapping[str, Embeddings],
    truth: Embeddings,
    groups: np.ndarray,
    folds: np.ndarray,
    *,
    prior: Embeddings | None = None,
    signals: Signals | None = None,
    doubts: Sequence[str] = (),
    progress: Progress = silent,
) -> TunedBlend:
    """Weights for ``parts``, judged on ``folds``; arrays are in the order of the truth.

    ``groups`` are of near-duplicate prompts, and none lies in two folds. ``signals`` of certainty
    are used in addition to the members' agreement. ``doubts`` go into the record as they are.
    """
    check_folds(groups, folds)
    resampling = Resampling(groups)
    with progress("tuning", len(parts) + 2, "step") as advance:
        plain = gather(parts, truth)
        with_prior = gather({**parts, PRIOR: _repeated(prior, truth)}, truth) if prior else None
        advance(1)
        all_signals = {**agreement(plain.names, plain.among), **(signals or {})}
        ladder = climb(plain, with_prior, all_signals, resampling, folds)
        advance(1)
        members = _judge_members(plain, ladder[TUNED].cosines, resampling, folds, advance)
    weights = ladder.taken.weights()
    single = resampling.difference(ladder.taken.cosines, ladder[SINGLE].cosines)
    gate = None
    if ladder.taken.name == GATED:
        gate = fit_gate(ladder.taken.statistics, all_signals, np.array(list(weights.values())))
    return TunedBlend(
        weights={name: weight for name, weight in weights.items() if name != PRIOR},
        prior_weight=weights.get(PRIOR, 0.0),
        validation=_validation(truth, groups, folds),
        chosen=ladder.taken.name,
        held_out=resampling.interval(ladder.taken.cosines),
        over_best_single=single,
        reasons=(*ladder.reasons, _against_best_single(single), *doubts),
        methods=_tried_methods(ladder, resampling),
        members=members,
        correlations=_by_member(plain.names, np.atleast_2d(np.corrcoef(plain.to_truth.T))),
        similarities=_by_member(plain.names, plain.among.mean(axis=0)[plain.column_of_pair]),
        gate=gate,
    )


def _repeated(prior: Embeddings, truth: Embeddings) -> Embeddings:
    """The prior as the answer to every image."""
    return Embeddings(truth.image_ids, np.repeat(prior.vectors[:1], len(truth), axis=0))


def _judge_members(
    plain: Statistics,
    tuned: np.ndarray,
    resampling: Resampling,
    folds: np.ndarray,
    advance: Advance,
) -> dict[str, TunedMember]:
    """Each member alone, and what tuning loses without it, on held-out groups."""
    alone = resampling.intervals(plain.to_truth)
    judged = {}
    for name, score in zip(plain.names, alone, strict=True):
        rest = np.zeros_like(tuned)
        if len(plain.names) > 1:
            rest = held_out_cosines(plain, folds, without_member(name, methods.mean_cosine))
        judged[name] = TunedMember(score, resampling.difference(tuned, rest))
        advance(1)
    return judged


def _tried_methods(ladder: Ladder, resampling: Resampling) -> dict[str, TriedMethod]:
    """Every method with its held-out score."""
    control = ladder[EQUAL].cosines
    scores = resampling.intervals(np.stack([rung.cosines for rung in ladder.rungs], axis=1))
    return {
        rung.name: TriedMethod(score, resampling.difference(rung.cosines, control), rung.weights())
        for rung, score in zip(ladder.rungs, scores, strict=True)
    }


def _against_best_single(gain: Difference) -> str:
    """Whether blending was worth it at all."""
    verdict = "beats" if gain.beyond_noise else "does not beat"
    return f"the blend {verdict} the best single member on held-out groups: {gain}"


def _by_member(names: Sequence[str], values: np.ndarray) -> dict[str, dict[str, float]]:
    """A square matrix as a table of member by member."""
    rows = values.tolist()
    return {name: dict(zip(names, row, strict=True)) for name, row in zip(names, rows, strict=True)}


def _validation(truth: Embeddings, groups: np.ndarray, folds: np.ndarray) -> Validation:
    """What the blend was tuned on."""
    digest = hashlib.sha256()
    for row in np.argsort(np.array(truth.image_ids)):
        digest.update(f"{truth.image_ids[row]}\n{folds[row]}\n".encode())
        digest.update(truth.vectors[row].tobytes())
    counts = len(np.unique(groups)), len(np.unique(folds))
    return Validation(digest.hexdigest(), len(truth), *counts)

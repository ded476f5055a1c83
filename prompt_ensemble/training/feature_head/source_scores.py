"""Leave-one-source-out: how good a head is on sources and prompts it never saw, with controls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.intervals import Resampling, Score, mean_of_strata
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.data.splits import leave_one_source_out

Fit = Callable[[np.ndarray], Callable[[np.ndarray], np.ndarray]]
"""From training rows to a function from rows to predictions."""
FEWEST_PROMPTS = 90


def judged_sources(prompts: Sequence[str], sources: np.ndarray, tiers: np.ndarray) -> list[str]:
    """Sources of tier A with enough distinct prompts for a score that means something."""
    distinct: dict[str, set[str]] = {}
    for prompt, source, tier in zip(prompts, sources.tolist(), tiers.tolist(), strict=True):
        if tier == "A":
            distinct.setdefault(source, set()).add(prompt)
    judged = sorted(source for source, seen in distinct.items() if len(seen) >= FEWEST_PROMPTS)
    if not judged:
        raise BadConfig(
            f"no source of tier A has {FEWEST_PROMPTS} distinct prompts, so none can be left out "
            "to be judged on; give more pairs, or train without judging (--no-judge)"
        )
    return judged


def score_sources(
    models: Mapping[str, Fit],
    targets: np.ndarray,
    prompts: Sequence[str],
    sources: np.ndarray,
    groups: np.ndarray,
    judged: Sequence[str],
    base: np.ndarray,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Per source: mean cosine over prompts of each model and control, and paired intervals.

    Margins are those of the first model over all others and the controls.
    """
    table: dict[str, Any] = {}
    margins: dict[str, list[np.ndarray]] = {}
    with progress("leaving sources out", len(judged), "source") as advance:
        for source, training, held_out in leave_one_source_out(groups, list(sources)):
            if source not in judged:
                continue
            rows = np.flatnonzero(held_out)
            predicted = _predictions(models, np.flatnonzero(training), rows, targets, base)
            texts = [prompts[row] for row in rows.tolist()]
            cosines = prompt_cosines(predicted, targets[rows], texts)
            table[source] = _summary(cosines, len(rows))
            first = next(iter(models))
            for name in cosines.keys() - {first}:
                margins.setdefault(name, []).append(cosines[first] - cosines[name])
            advance(1)
    means = {
        name: float(np.mean([entry["scores"][name] for entry in table.values()]))
        for name in next(iter(table.values()))["scores"]
    }
    overall = {name: mean_margin(rows) for name, rows in sorted(margins.items())}
    return {"sources": table, "mean": means, "margin_over": overall}


def _predictions(
    models: Mapping[str, Fit],
    training: np.ndarray,
    rows: np.ndarray,
    targets: np.ndarray,
    base: np.ndarray,
) -> dict[str, np.ndarray]:
    """Unit rows of every model, and of the controls."""
    predicted = {name: unit_rows(fit(training)(rows)) for name, fit in models.items()}
    first = next(iter(predicted.values()))
    shuffled = np.random.default_rng(0).permutation(len(rows))
    constants = {"constant, open prompts": base, "constant, training": targets[training].mean(0)}
    repeated = {name: unit_rows(np.tile(row, (len(rows), 1))) for name, row in constants.items()}
    return predicted | {"shuffled images": first[shuffled]} | repeated


def prompt_cosines(
    predicted: Mapping[str, np.ndarray], targets: np.ndarray, prompts: Sequence[str]
) -> dict[str, np.ndarray]:
    """Mean cosine of each distinct prompt's images."""
    names, number = np.unique(prompts, return_inverse=True)
    images = np.bincount(number)
    return {
        name: np.bincount(number, np.einsum("ij,ij->i", rows, targets), len(names)) / images
        for name, rows in predicted.items()
    }


def _summary(cosines: Mapping[str, np.ndarray], images: int) -> dict[str, Any]:
    """Scores of one source, and intervals of the first model's margins."""
    first = next(iter(cosines))
    others = [name for name in cosines if name != first]
    return {
        "images": images,
        "prompts": len(cosines[first]),
        "scores": {name: float(rows.mean()) for name, rows in cosines.items()},
        "interval": _interval(cosines[first]),
        "margins": {name: _interval(cosines[first] - cosines[name]) for name in others},
    }


def mean_margin(margins: Sequence[np.ndarray]) -> dict[str, Any]:
    """Mean over sources of a margin, and its interval: prompts are resampled within sources."""
    score = mean_of_strata(margins)
    return {"mean": round(score.mean, 4), "interval": _ends(score)}


def _interval(per_prompt: np.ndarray) -> list[float]:
    return _ends(Resampling.of_images(len(per_prompt)).interval(per_prompt))


def _ends(score: Score) -> list[float]:
    """Both ends of an interval as they are printed; a single prompt's are the mean itself."""
    ends = (score.low, score.high)
    return [round(score.mean if end is None else end, 4) for end in ends]

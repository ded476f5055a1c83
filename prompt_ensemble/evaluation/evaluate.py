"""Evaluation of a run: every measure per image first, then its mean and interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from prompt_ensemble.core.blend import blend
from prompt_ensemble.core.certainty import Signals
from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.errors import MismatchedIds
from prompt_ensemble.core.intervals import Difference, Resampling, Score
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.core.score import cosines
from prompt_ensemble.data.groups import connected_groups
from prompt_ensemble.data.truth import Truth
from prompt_ensemble.evaluation import controls, retrieval
from prompt_ensemble.evaluation.finished_run import BLEND, FinishedRun
from prompt_ensemble.evaluation.retrieval import Retrieval
from prompt_ensemble.run.saved_predictions import judged_images

CONSTANT = "constant: mean of the other prompts"
LENGTHS = {
    "1-5 words": (1, 5),
    "6-10 words": (6, 10),
    "11-20 words": (11, 20),
    "21-40 words": (21, 40),
    "over 40 words": (41, math.inf),
}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All there is to say of a run; arrays are in the order of ``image_ids``."""

    name: str
    image_ids: tuple[str, ...]
    groups: int
    cosines: Mapping[str, np.ndarray]
    """Name of a member or the blend → ``(N,)``."""
    scores: Mapping[str, Score]
    shuffled: Mapping[str, float]
    constant: Score
    retrieval: Mapping[str, Retrieval]
    by_source: Mapping[str, Mapping[str, Score]]
    by_length: Mapping[str, Mapping[str, Score]]
    weights: Mapping[str, float]
    loss_without: Mapping[str, Difference]
    """What the blend loses when a member is left out and the rest keep their weights."""
    seconds: Mapping[str, float]
    memory: Mapping[str, float]
    texts: Mapping[str, Mapping[str, str]]
    prompts: Mapping[str, str]
    sources: Mapping[str, str]
    signals: Signals
    doubts: tuple[str, ...] = ()
    """What members were trained on, as far as their runs say."""

    @property
    def leaks(self) -> tuple[str, ...]:
        """The doubts that make a score worthless."""
        return tuple(doubt for doubt in self.doubts if doubt.startswith("LEAK"))

    @property
    def leading(self) -> str:
        """The blend if there is one, or the best member: what images are ranked by."""
        best = max(self.scores, key=lambda name: self.scores[name].mean)
        return BLEND if BLEND in self.scores else best


def evaluate(
    run: FinishedRun,
    truth: Truth,
    *,
    signals: Signals | None = None,
    doubts: Sequence[str] = (),
    progress: Progress = silent,
) -> Evaluation:
    """Every measure of every prediction; ``signals`` are in the order of the judged images."""
    judged = judged_images(run.predictions, truth.embeddings)
    groups = connected_groups(judged.vectors, progress=progress)
    resampling = Resampling(groups)
    elsewhere = controls.others(judged.vectors, groups)
    per_image = {name: cosines(part, judged) for name, part in run.predictions.items()}
    rows = {name: part.take(judged.image_ids).vectors for name, part in run.predictions.items()}
    ranked = {}
    with progress("ranking prompts", len(rows), "member") as advance:
        for name, vectors in rows.items():
            ranked[name] = retrieval.measure(vectors, judged.vectors)
            advance(1)
    sources = [truth.sources.get(image_id, "") for image_id in judged.image_ids]
    lengths = [length_bucket(truth.prompts.get(image_id, "")) for image_id in judged.image_ids]
    return Evaluation(
        name=run.name,
        image_ids=judged.image_ids,
        groups=len(np.unique(groups)),
        cosines=per_image,
        scores=score_all(per_image, resampling),
        shuffled={
            name: float(controls.shuffled(one, elsewhere).mean()) for name, one in rows.items()
        },
        constant=resampling.interval(controls.constant(judged.vectors, elsewhere)),
        retrieval=ranked,
        by_source=score_parts(per_image, sources, sorted(set(sources) - {""}), groups),
        by_length=score_parts(per_image, lengths, list(LENGTHS), groups),
        weights=run.weights,
        loss_without=losses(run, judged, resampling),
        seconds=run.seconds,
        memory=run.memory,
        texts=run.texts,
        prompts=truth.prompts,
        sources=truth.sources,
        signals=signals or {},
        doubts=tuple(doubts),
    )


def score_all(per_image: Mapping[str, np.ndarray], resampling: Resampling) -> dict[str, Score]:
    """Mean and interval of each prediction, the best first."""
    found = resampling.intervals(np.stack(list(per_image.values()), axis=1))
    scores = dict(zip(per_image, found, strict=True))
    return dict(sorted(scores.items(), key=lambda item: (-item[1].mean, item[0])))


def score_parts(
    per_image: Mapping[str, np.ndarray],
    labels: Sequence[str],
    order: Sequence[str],
    groups: np.ndarray,
) -> dict[str, dict[str, Score]]:
    """The scores within each label that any image has, in the order given."""
    names = np.array(labels)
    found = {}
    for label in order:
        chosen = names == label
        if not chosen.any():
            continue
        part = {name: values[chosen] for name, values in per_image.items()}
        found[label] = score_all(part, Resampling(groups[chosen]))
    return found


def length_bucket(prompt: str) -> str:
    """The bucket of a prompt's length in words; empty for no prompt."""
    words = len(prompt.split())
    fitting = (label for label, (low, high) in LENGTHS.items() if low <= words <= high)
    return next(fitting, "")


def losses(run: FinishedRun, truth: Embeddings, resampling: Resampling) -> dict[str, Difference]:
    """What the blend of the run's own weights loses without each of its members."""
    weights = {name: weight for name, weight in run.weights.items() if weight}
    if len(weights) < 2:
        return {}
    whole = blend_cosines(run, weights, truth)
    return {
        name: resampling.difference(
            whole, blend_cosines(run, {k: v for k, v in weights.items() if k != name}, truth)
        )
        for name in weights
    }


def blend_cosines(run: FinishedRun, weights: Mapping[str, float], truth: Embeddings) -> np.ndarray:
    """Cosine of a blend of some of the run's members for each image."""
    return cosines(blend({name: run.predictions[name] for name in weights}, weights), truth)


def compare(one: Evaluation, other: Evaluation, truth: Embeddings) -> dict[str, Difference]:
    """What each prediction of ``one`` gains over that of the same name in ``other``."""
    there = set(other.image_ids)
    shared = [image_id for image_id in one.image_ids if image_id in there]
    if not shared:
        raise MismatchedIds(f"{one.name} and {other.name} have no image in common; nothing to do")
    resampling = Resampling(connected_groups(truth.take(shared).vectors))
    place = [{i: n for n, i in enumerate(side.image_ids)} for side in (one, other)]
    rows = [[where[image_id] for image_id in shared] for where in place]
    return {
        name: resampling.difference(one.cosines[name][rows[0]], other.cosines[name][rows[1]])
        for name in one.cosines
        if name in other.cosines
    }

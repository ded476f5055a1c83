"""Evaluation of a run: every measure per image first, then its mean and interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
from prompt_ensemble.evaluation.text_measures import TextMeasures, judge
from prompt_ensemble.run.saved_predictions import judged_images

_LENGTHS = {
    "1-5 words": (1, 5),
    "6-10 words": (6, 10),
    "11-20 words": (11, 20),
    "21-40 words": (21, 40),
    "over 40 words": (41, math.inf),
}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All measures of a run; arrays are in the order of ``image_ids``."""

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
    answers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Prediction → image id → its text, of those that are texts."""
    text_measures: Mapping[str, TextMeasures] = field(default_factory=dict)
    """The same predictions, if the words of the true prompts are known."""

    @property
    def leaks(self) -> tuple[str, ...]:
        """The doubts that make a score worthless."""
        return tuple(doubt for doubt in self.doubts if doubt.startswith("LEAK"))

    @property
    def leading(self) -> str:
        """The blend if there is one, else the best member: images are ranked by its cosines."""
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
    elsewhere = controls.mean_of_other_groups(judged.vectors, groups)
    per_image = {name: cosines(part, judged) for name, part in run.predictions.items()}
    rows = {name: part.take(judged.image_ids).vectors for name, part in run.predictions.items()}
    ranked = {}
    with progress("ranking prompts", len(rows), "member") as advance:
        for name, vectors in rows.items():
            ranked[name] = retrieval.measure(vectors, judged.vectors)
            advance(1)
    sources = [truth.sources.get(image_id, "") for image_id in judged.image_ids]
    lengths = [length_bucket(truth.prompts.get(image_id, "")) for image_id in judged.image_ids]
    answers = {name: texts for name, texts in run.answers.items() if name in per_image}
    return Evaluation(
        name=run.name,
        image_ids=judged.image_ids,
        groups=len(np.unique(groups)),
        cosines=per_image,
        scores=_scores(per_image, resampling),
        shuffled={
            name: float(controls.shuffled_cosines(vectors, elsewhere).mean())
            for name, vectors in rows.items()
        },
        constant=resampling.interval(controls.constant_cosines(judged.vectors, elsewhere)),
        retrieval=ranked,
        by_source=_scores_by_label(per_image, sources, sorted(set(sources) - {""}), groups),
        by_length=_scores_by_label(per_image, lengths, list(_LENGTHS), groups),
        weights=run.weights,
        loss_without=_losses_without_member(run, judged, resampling),
        seconds=run.seconds,
        memory=run.memory,
        texts=run.texts,
        prompts=truth.prompts,
        sources=truth.sources,
        signals=signals or {},
        doubts=tuple(doubts),
        answers=answers,
        text_measures=_judge_answers(
            answers, truth.prompts, judged.image_ids, per_image, resampling
        ),
    )


def _judge_answers(
    answers: Mapping[str, Mapping[str, str]],
    prompts: Mapping[str, str],
    image_ids: tuple[str, ...],
    per_image: Mapping[str, np.ndarray],
    resampling: Resampling,
) -> dict[str, TextMeasures]:
    """Measures of each prediction that is a text; none if the words of the truth are not known."""
    if not prompts:
        return {}
    references = [(prompts[image_id],) for image_id in image_ids]
    return {
        name: judge(
            image_ids,
            [texts[image_id] for image_id in image_ids],
            references,
            per_image[name],
            resampling,
        )
        for name, texts in answers.items()
    }


def _scores(per_image: Mapping[str, np.ndarray], resampling: Resampling) -> dict[str, Score]:
    """Mean and interval of each prediction, the best first."""
    intervals = resampling.intervals(np.stack(list(per_image.values()), axis=1))
    scores = dict(zip(per_image, intervals, strict=True))
    return dict(sorted(scores.items(), key=lambda item: (-item[1].mean, item[0])))


def _scores_by_label(
    per_image: Mapping[str, np.ndarray],
    labels: Sequence[str],
    order: Sequence[str],
    groups: np.ndarray,
) -> dict[str, dict[str, Score]]:
    """The scores within each label that any image has, in the order given."""
    label_of_image = np.array(labels)
    scores = {}
    for label in order:
        chosen = label_of_image == label
        if not chosen.any():
            continue
        part = {name: values[chosen] for name, values in per_image.items()}
        scores[label] = _scores(part, Resampling(groups[chosen]))
    return scores


def length_buckets() -> list[str]:
    """All buckets of lengths, the shortest first."""
    return list(_LENGTHS)


def length_bucket(prompt: str) -> str:
    """The bucket of a prompt's length in words; empty for no prompt."""
    words = len(prompt.split())
    fitting = (label for label, (low, high) in _LENGTHS.items() if low <= words <= high)
    return next(fitting, "")


def _losses_without_member(
    run: FinishedRun, truth: Embeddings, resampling: Resampling
) -> dict[str, Difference]:
    """What the blend of the run's own weights loses without each of its members."""
    weights = {name: weight for name, weight in run.weights.items() if weight}
    if len(weights) < 2:
        return {}
    whole = _blend_cosines(run, weights, truth)
    return {
        name: resampling.difference(
            whole, _blend_cosines(run, {k: v for k, v in weights.items() if k != name}, truth)
        )
        for name in weights
    }


def _blend_cosines(run: FinishedRun, weights: Mapping[str, float], truth: Embeddings) -> np.ndarray:
    """Cosine of a blend of some of the run's members for each image."""
    return cosines(blend({name: run.predictions[name] for name in weights}, weights), truth)


def compare(first: Evaluation, second: Evaluation, truth: Embeddings) -> dict[str, Difference]:
    """What each prediction of ``first`` gains over that of the same name in ``second``."""
    in_second = set(second.image_ids)
    shared = [image_id for image_id in first.image_ids if image_id in in_second]
    if not shared:
        raise MismatchedIds(
            f"{first.name} and {second.name} have no image in common; nothing to do"
        )
    resampling = Resampling(connected_groups(truth.take(shared).vectors))
    rows_of_first, rows_of_second = (_rows_of(run, shared) for run in (first, second))
    return {
        name: resampling.difference(
            first.cosines[name][rows_of_first], second.cosines[name][rows_of_second]
        )
        for name in first.cosines
        if name in second.cosines
    }


def _rows_of(evaluation: Evaluation, image_ids: Sequence[str]) -> list[int]:
    row = {image_id: number for number, image_id in enumerate(evaluation.image_ids)}
    return [row[image_id] for image_id in image_ids]

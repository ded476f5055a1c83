"""An evaluation for programs and spreadsheets: a JSON object and a table of images."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from prompt_ensemble.evaluation.text_measures import COSINE

if TYPE_CHECKING:
    from prompt_ensemble.core.intervals import Difference
    from prompt_ensemble.evaluation.evaluate import Evaluation
    from prompt_ensemble.evaluation.text_measures import TextMeasures


def as_record(
    evaluation: Evaluation, against: Mapping[str, Difference] | None = None
) -> dict[str, object]:
    """Everything but the images themselves."""
    record: dict[str, object] = {
        "run": evaluation.name,
        "images": len(evaluation.image_ids),
        "groups": evaluation.groups,
        "leading": evaluation.leading,
        "doubts": list(evaluation.doubts),
        "predictions": {
            name: {
                "score": asdict(score),
                "shuffled": evaluation.shuffled[name],
                "retrieval": asdict(evaluation.retrieval[name]),
                "weight": evaluation.weights.get(name),
                "seconds_per_image": evaluation.seconds.get(name),
                "peak_memory_mb": evaluation.memory.get(name),
            }
            for name, score in evaluation.scores.items()
        },
        "constant": asdict(evaluation.constant),
        "loss_without": {name: asdict(loss) for name, loss in evaluation.loss_without.items()},
        "by_source": _parts_record(evaluation.by_source),
        "by_length": _parts_record(evaluation.by_length),
        "texts": {
            name: text_record(measures) for name, measures in evaluation.text_measures.items()
        },
    }
    if against is not None:
        record["gain"] = {name: asdict(gain) for name, gain in against.items()}
    return record


def text_record(measures: TextMeasures) -> dict[str, object]:
    """The measures of texts, and how many texts have each fault."""
    scores = {name: asdict(score) for name, score in measures.scores.items()}
    faults = {name: sum(found) for name, found in measures.faults.items()}
    return {"images": len(measures.image_ids), **scores, "faults": faults}


def _parts_record(parts: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """Scores by label and prediction."""
    return {
        label: {name: asdict(score) for name, score in scores.items()}  # type: ignore[call-overload]
        for label, scores in parts.items()
    }


def image_table(evaluation: Evaluation) -> str:
    """A CSV: id, source, prompt, the cosine of every prediction, and texts with their measures."""
    text = io.StringIO()
    table = csv.writer(text)
    names = list(evaluation.scores)
    answers = _answer_columns(evaluation)
    table.writerow(["image_id", "source", "prompt", *names, *answers])
    for row, image_id in enumerate(evaluation.image_ids):
        scores = (f"{evaluation.cosines[name][row]:.6f}" for name in names)
        known = (evaluation.sources.get(image_id, ""), evaluation.prompts.get(image_id, ""))
        said = (cells[row] for cells in answers.values())
        table.writerow([image_id, *known, *scores, *said])
    return text.getvalue()


def _answer_columns(evaluation: Evaluation) -> dict[str, list[str]]:
    """Column → a cell an image: what each text says, and its measures beside the cosine."""
    columns = {}
    for name, texts in evaluation.answers.items():
        columns[f"{name} says"] = [texts[image_id] for image_id in evaluation.image_ids]
        measures = evaluation.text_measures.get(name)
        if measures is None:
            continue
        for measure, values in measures.per_image.items():
            if measure != COSINE:
                columns[f"{name} {measure}"] = [f"{value:.6f}" for value in values]
        columns[f"{name} faults"] = list(map(measures.faults_of, range(len(measures.image_ids))))
    return columns

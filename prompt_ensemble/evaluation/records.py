"""An evaluation for programs and spreadsheets: a JSON object and a table of images."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prompt_ensemble.core.intervals import Difference
    from prompt_ensemble.evaluation.evaluate import Evaluation


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
    }
    if against is not None:
        record["gain"] = {name: asdict(gain) for name, gain in against.items()}
    return record


def _parts_record(parts: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """Scores by label and prediction."""
    return {
        label: {name: asdict(score) for name, score in scores.items()}  # type: ignore[call-overload]
        for label, scores in parts.items()
    }


def image_table(evaluation: Evaluation) -> str:
    """A CSV: id, source, prompt, and the cosine of every prediction, one row an image."""
    text = io.StringIO()
    table = csv.writer(text)
    names = list(evaluation.scores)
    table.writerow(["image_id", "source", "prompt", *names])
    for row, image_id in enumerate(evaluation.image_ids):
        scores = (f"{evaluation.cosines[name][row]:.6f}" for name in names)
        known = (evaluation.sources.get(image_id, ""), evaluation.prompts.get(image_id, ""))
        table.writerow([image_id, *known, *scores])
    return text.getvalue()

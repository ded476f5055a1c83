"""A study for programs and spreadsheets: a JSON object of all numbers and a table of captions."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from prompt_ensemble.evaluation.records import text_record
from prompt_ensemble.evaluation.text_measures import COSINE
from prompt_ensemble.study.conclusion import comparisons_made, conclude
from prompt_ensemble.study.study import most_frequent

if TYPE_CHECKING:
    from prompt_ensemble.core.intervals import Difference
    from prompt_ensemble.study.compared import Comparison, Pair
    from prompt_ensemble.study.contenders import Contender
    from prompt_ensemble.study.gradients import WordMap
    from prompt_ensemble.study.study import Looks, Study

_FREQUENT = 30


def as_record(study: Study) -> dict[str, object]:
    """Everything but the images and their captions, which are in the table."""
    return {
        "conclusion": _conclusion_record(study),
        "comparisons": comparisons_made(study),
        "doubts": list(study.doubts),
        "images": len(study.material.images),
        "groups": len(np.unique(study.material.groups)),
        "left_out": list(study.left_out),
        "settings": dict(study.settings),
        "captioners": {c.name: _contender_record(study, c) for c in study.contenders},
        "measures": {name: _comparison(found) for name, found in study.measures.items()},
        "parts": {
            kind: {label: _comparison(found) for label, found in parts.items()}
            for kind, parts in study.parts.items()
        },
        "words": {_of(pair): [asdict(one) for one in words] for pair, words in study.words.items()},
        "agreement": {_of(pair): asdict(found) for pair, found in study.agreement.items()},
        "looks": _looks_record(study.looks),
    }


def _conclusion_record(study: Study) -> dict[str, object]:
    found = conclude(study)
    details = {_of(pair): list(sentences) for pair, sentences in found.details.items()}
    return {"headline": list(found.headline), "details": details}


def _contender_record(study: Study, contender: Contender) -> dict[str, object]:
    """The runs of one name, and the words that it makes up and misses."""
    return {
        "runs": {run.name: _run_record(study, run.name) for run in contender.runs},
        "makes_up": most_frequent(study, contender, "most_hallucinated", _FREQUENT),
        "misses": most_frequent(study, contender, "most_missed", _FREQUENT),
    }


def _run_record(study: Study, run: str) -> dict[str, object]:
    captions, measured = study.captions[run], study.runs[run]
    curve = study.looks.curves.get(run)
    return {
        "source": captions.run.source,
        "parameters": captions.parameters,
        "seconds_per_image": captions.seconds,
        "median_rank": float(np.median(measured.ranks)),
        "recall_at_10": float(np.mean(measured.ranks <= 10)),
        "distinct_captions": len(set(captions.texts)),
        "texts": text_record(measured.texts),
        "learning_curve": asdict(curve) if curve else None,
    }


def _comparison(found: Comparison) -> dict[str, object]:
    return {
        "captioners": {
            name: {**asdict(summary), "between_seeds": summary.between_seeds}
            for name, summary in found.summaries.items()
        },
        "differences": {_of(pair): _gain(gain) for pair, gain in found.differences.items()},
    }


def _gain(gain: Difference) -> Mapping[str, float]:
    return asdict(gain)


def _looks_record(looks: Looks) -> dict[str, object]:
    return {
        "images": list(looks.image_ids),
        "movement": _comparison(looks.movement) if looks.movement else None,
        "moved": {name: np.round(maps, 4).tolist() for name, maps in looks.moved.items()},
        "words": {name: [_word(one) for one in maps] for name, maps in looks.words.items()},
    }


def _word(found: WordMap) -> dict[str, object]:
    return {
        "image": found.image_id,
        "word": found.word,
        "log_likelihood": found.log_likelihood,
        "pull": [[float(f"{value:.4g}") for value in row] for row in found.pull.tolist()],
    }


def _of(pair: Pair) -> str:
    """A pair as a key; the difference is that of the first less the second."""
    return " - ".join(pair)


def caption_table(study: Study) -> str:
    """A CSV: id, source, prompts, and of each run the caption and its cosine."""
    text = io.StringIO()
    table = csv.writer(text)
    names = list(study.captions)
    columns = [column for name in names for column in (f"{name} says", f"{name} cosine")]
    table.writerow(["image_id", "source", "prompt", *columns])
    for row, image in enumerate(study.material.images):
        said = (
            cell
            for name in names
            for cell in (
                study.captions[name].texts[row],
                f"{study.runs[name].per_image[COSINE][row]:.6f}",
            )
        )
        table.writerow([image.image_id, image.source, " | ".join(image.prompts), *said])
    return text.getvalue()

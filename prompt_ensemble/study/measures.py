"""The measures of captions: what each is called, and which way is better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prompt_ensemble.core.intervals import Resampling
from prompt_ensemble.core.text_faults import words
from prompt_ensemble.evaluation.text_measures import COSINE, TextMeasures, judge
from prompt_ensemble.study.coverage import HALLUCINATED, MISSED, Coverage
from prompt_ensemble.study.material import Material
from prompt_ensemble.study.word_classes import CLASSES

RECIPROCAL_RANK, IMAGE_GAIN, LENGTH, REPETITIVE, SHARED = (
    "reciprocal_rank", "image_gain", "words", "repetitive", "said_of_others",
)  # fmt: skip
COVERED = {f"covered_{name}": name for name in CLASSES}
"""Measure → class of words."""


@dataclass(frozen=True)
class Measure:
    """One number of every caption."""

    label: str
    says: str
    """What a difference means: "A {says} B by 0.01"."""
    places: int = 3


MEASURES = {
    COSINE: Measure("MiniLM cosine", "is nearer to the true prompts than"),
    "cider_d": Measure("CIDEr-D", "has a higher CIDEr-D than"),
    "bleu4": Measure("BLEU-4", "has a higher BLEU-4 than", 2),
    "rouge_l": Measure("ROUGE-L", "has a higher ROUGE-L than"),
    RECIPROCAL_RANK: Measure(
        "reciprocal rank", "ranks the image's own prompt nearer to the top (reciprocal rank) than"
    ),
    IMAGE_GAIN: Measure(
        "own less other prompts", "gains more from seeing the image (own less other prompts) than"
    ),
    **{
        measure: Measure(f"{name} words covered", f"says a larger share of {name} words than")
        for measure, name in COVERED.items()
    },
    HALLUCINATED: Measure(
        "content words made up", "says a larger share of content words that are in no prompt than"
    ),
    MISSED: Measure("content words missed", "misses a larger share of content words than"),
    LENGTH: Measure("words a caption", "says more words a caption than", 2),
    REPETITIVE: Measure("repeats itself", "repeats itself in a larger share of captions than"),
    SHARED: Measure(
        "said of other images, too", "says the very same of several images more often than"
    ),
}
"""In the order of the page; the first four and the rank are accuracy, the others say why."""
ACCURACY = (COSINE, "cider_d", "bleu4", "rouge_l", RECIPROCAL_RANK)


@dataclass(frozen=True, eq=False)
class RunMeasures:
    """Everything that is measured of one run."""

    per_image: dict[str, np.ndarray]
    """Measure → ``(N,)``; NaN where it has no meaning, as covering styles where none is named."""
    texts: TextMeasures
    """Of all captions together: corpus BLEU-4, distinct phrases, faults."""
    ranks: np.ndarray
    """``(N,)`` rank of the own prompt."""


def measure_run(
    texts: Sequence[str],
    vectors: np.ndarray,
    material: Material,
    coverage: Coverage,
    resampling: Resampling,
) -> RunMeasures:
    """All measures of one run's captions and their embeddings."""
    judged = judge(
        material.image_ids, texts, material.references, material.cosines(vectors), resampling
    )
    ranks = material.ranks(vectors)
    times = Counter(texts)
    own = {
        RECIPROCAL_RANK: 1 / ranks,
        IMAGE_GAIN: material.image_gain(vectors),
        HALLUCINATED: coverage.hallucinated,
        MISSED: coverage.missed,
        LENGTH: np.array([len(words(text)) for text in texts], np.float64),
        REPETITIVE: np.array(judged.faults[REPETITIVE], np.float64),
        SHARED: np.array([times[text] > 1 for text in texts], np.float64),
        **{measure: coverage.covered[name] for measure, name in COVERED.items()},
    }
    return RunMeasures({**judged.per_image, **own}, judged, ranks)

"""What of the true prompt a caption covers, what it misses, and what it adds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from prompt_ensemble.study.word_classes import CLASSES, Lexicon, content_words

HALLUCINATED, MISSED = "hallucinated", "missed"


@dataclass(frozen=True, eq=False)
class Coverage:
    """Of the captions of one run; arrays are NaN where there is nothing to cover."""

    covered: dict[str, np.ndarray]
    """Class of words → the share of the prompt's words of it that the caption says, ``(N,)``."""
    hallucinated: np.ndarray
    """Share of the caption's content words that no prompt of the image has."""
    missed: np.ndarray
    """Share of the prompts' content words that the caption does not say."""
    most_hallucinated: Counter[str]
    """Word → images."""
    most_missed: Counter[str]


def measure_coverage(
    captions: Sequence[str], references: Sequence[Sequence[str]], lexicon: Lexicon
) -> Coverage:
    """Coverage of each image's prompts, all of them together, by its caption."""
    shares: dict[str, list[float]] = {name: [] for name in (*CLASSES, HALLUCINATED, MISSED)}
    added, left_out = Counter[str](), Counter[str]()
    for caption, prompts in zip(captions, references, strict=True):
        wanted: dict[str, str] = {}
        for prompt in prompts:
            wanted = lexicon.classify(prompt) | wanted
        said = lexicon.classify(caption)
        for name in CLASSES:
            of_class = {word for word, kind in wanted.items() if kind == name}
            shares[name].append(_ratio(of_class & set(said), of_class))
        content, spoken = content_words(wanted), content_words(said)
        # What a caption says as content may be in the prompt as a style: that is not made up.
        new, absent = spoken - set(wanted), content - set(said)
        shares[HALLUCINATED].append(_ratio(new, spoken))
        shares[MISSED].append(_ratio(absent, content))
        added.update(new)
        left_out.update(absent)
    arrays = {name: np.array(values, np.float64) for name, values in shares.items()}
    covered = {name: arrays[name] for name in CLASSES}
    return Coverage(covered, arrays[HALLUCINATED], arrays[MISSED], added, left_out)


def _ratio(part: Collection[str], whole: Collection[str]) -> float:
    """Which share a part is; NaN of nothing."""
    return len(part) / len(whole) if whole else float("nan")

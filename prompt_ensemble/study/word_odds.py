"""Words that one captioner says and the other does not: log-odds with an informative prior.

After Monroe, Colaresi and Quinn (2008), "Fightin' Words": with counts y of a word, n of all words,
and a prior of a words in all of which the word has its usual share alpha,

    delta = log((y1 + alpha) / (n1 + a - y1 - alpha)) - log((y2 + alpha) / (n2 + a - y2 - alpha))

The prior is what all captions and prompts together say, so that rare words count for little. A word
counts once an image. Words are chosen by delta over its posterior deviation; the interval is that
of resampled groups of images, since what is said of images alike is said as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array, hstack

from prompt_ensemble.core.intervals import ENDS, Resampling
from prompt_ensemble.core.text_faults import words
from prompt_ensemble.study.seeds import FEWEST_GROUPS
from prompt_ensemble.study.word_lists import STOP_WORDS

_PRIOR_WORDS = 1000.0
SHOWN = 20
"""Words on either side."""


@dataclass(frozen=True)
class WordOdds:
    """How much more one says a word than the other."""

    word: str
    odds: float
    """Logarithm; above 0 if the first says it more."""
    low: float
    high: float
    """The 95% interval of resampled groups."""
    first: float
    second: float
    """Images of which each says it, the mean of its runs."""


def word_odds(
    first: Sequence[Sequence[str]],
    second: Sequence[Sequence[str]],
    background: Iterable[str],
    resampling: Resampling,
) -> tuple[WordOdds, ...]:
    """The words that tell captions of two contenders apart, those of the first first.

    Each has the texts of its runs. Only words whose interval leaves out 0 are there.
    """
    said = [_said(runs) for runs in (first, second)]
    every = sorted({word for images in said for one in images for word in one})
    if not every or resampling.group_count < FEWEST_GROUPS:
        return ()
    prior = _prior(every, background)
    columns = [_columns(images, every) for images in said]
    counts = [column.sum(axis=0) for column in columns]
    delta = _delta(counts, prior)
    spread = np.sqrt(sum(1 / (count[:-1] + prior) for count in counts))
    ranked = np.argsort(-delta / spread, kind="stable")
    chosen = list(dict.fromkeys([*ranked[:SHOWN].tolist(), *ranked[-SHOWN:].tolist()]))
    lows, highs = _interval(
        [column[:, [*chosen, -1]] for column in columns], prior[chosen], resampling
    )
    found = (
        WordOdds(every[row], float(delta[row]), low, high, *(float(one[row]) for one in counts))
        for row, low, high in zip(chosen, lows, highs, strict=True)
    )
    return tuple(odds for odds in found if odds.low > 0 or odds.high < 0)


def _said(runs: Sequence[Sequence[str]]) -> list[Counter[str]]:
    """Word → the runs that say it of an image, for each image; a word counts once a run."""
    images: list[Counter[str]] = [Counter() for _ in runs[0]]
    for texts in runs:
        for counter, text in zip(images, texts, strict=True):
            counter.update(set(words(text)) - STOP_WORDS)
    return [Counter({word: n / len(runs) for word, n in one.items()}) for one in images]


def _prior(every: Sequence[str], background: Iterable[str]) -> np.ndarray:
    """The usual counts of words, scaled to the prior's size; each is usual at least once."""
    usual = Counter(word for text in background for word in set(words(text)) - STOP_WORDS)
    usual.update(every)
    counts = np.array([usual[word] for word in every], np.float64)
    return counts * _PRIOR_WORDS / usual.total()


def _columns(images: Sequence[Counter[str]], every: Sequence[str]) -> csc_array:
    """``(N, W + 1)``: how often each word is said of each image, and all words together."""
    number = {word: column for column, word in enumerate(every)}
    entries = [
        (row, number[word], count) for row, one in enumerate(images) for word, count in one.items()
    ]
    rows, places, counts = zip(*entries, strict=True) if entries else ((), (), ())
    found = csc_array((counts, (rows, places)), shape=(len(images), len(every)))
    return hstack([found, found.sum(axis=1)[:, None]], format="csc")


def _interval(
    columns: Sequence[csc_array], prior: np.ndarray, resampling: Resampling
) -> tuple[list[float], list[float]]:
    """Ends of the 95% interval of each word; the last column is all words."""
    images = columns[0].shape[0]
    resampled = [resampling.means(one.toarray()) * images for one in columns]
    lows, highs = np.quantile(_delta(resampled, prior), ENDS, axis=0)
    return lows.tolist(), highs.tolist()


def _delta(counts: Sequence[np.ndarray], prior: np.ndarray) -> np.ndarray:
    """The difference of log-odds after the prior; the last count is that of all words."""
    logs = []
    for count in counts:
        said = count[..., :-1] + prior
        logs.append(np.log(said / (count[..., -1:] + _PRIOR_WORDS - said)))
    difference: np.ndarray = logs[0] - logs[1]
    return difference

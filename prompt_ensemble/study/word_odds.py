"""Words that one captioner says and the other does not: log-odds with an informative prior.

After Monroe, Colaresi and Quinn (2008), "Fightin' Words": with counts y of a word, n of all words,
and a prior of a words in all of which the word has its usual share alpha,

    delta = log((y1 + alpha) / (n1 + a - y1 - alpha)) - log((y2 + alpha) / (n2 + a - y2 - alpha))

The prior is what all captions and prompts together say, so that rare words count for little. A word
counts once an image. Words are chosen by delta over its posterior deviation. The interval is that
of resampled groups of images, since what is said of images alike is said as one, or the posterior's
where that is wider: of a word said twice, resampled images know too little.
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

_PRIOR_SHARE = 0.1
"""Words of the prior, for each word that a contender says."""
_SURE = 1.96
"""Deviations of a normal distribution that hold 95% of it."""
SHOWN = 15
"""Words on either side."""


@dataclass(frozen=True)
class WordOdds:
    """How much more one says a word than the other."""

    word: str
    odds: float
    """Logarithm; above 0 if the first says it more."""
    low: float
    high: float
    """The 95% interval."""
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
    columns = [_columns(images, every) for images in said]
    counts = [column.sum(axis=0) for column in columns]
    size = _PRIOR_SHARE * float(np.mean([one[-1] for one in counts]))
    prior = _prior(every, background, size)
    delta = _delta(counts, prior, size)
    spread = np.sqrt(sum(1 / (count[:-1] + prior) for count in counts))
    ranked = np.argsort(-delta / spread, kind="stable")
    chosen = list(dict.fromkeys([*ranked[:SHOWN].tolist(), *ranked[-SHOWN:].tolist()]))
    shown = [column[:, [*chosen, -1]] for column in columns]
    resampled = [resampling.means(one.toarray()) * len(said[0]) for one in shown]
    lows, highs = np.quantile(_delta(resampled, prior[chosen], size), ENDS, axis=0)
    reach = _SURE * spread[chosen]
    lows = np.minimum(lows, delta[chosen] - reach)
    highs = np.maximum(highs, delta[chosen] + reach)
    found = (
        WordOdds(every[row], float(delta[row]), low, high, *(float(one[row]) for one in counts))
        for row, low, high in zip(chosen, lows.tolist(), highs.tolist(), strict=True)
    )
    return tuple(odds for odds in found if odds.low > 0 or odds.high < 0)


def _said(runs: Sequence[Sequence[str]]) -> list[Counter[str]]:
    """Word → the runs that say it of an image, for each image; a word counts once a run."""
    images: list[Counter[str]] = [Counter() for _ in runs[0]]
    for texts in runs:
        for counter, text in zip(images, texts, strict=True):
            counter.update(set(words(text)) - STOP_WORDS)
    return [Counter({word: n / len(runs) for word, n in one.items()}) for one in images]


def _prior(every: Sequence[str], background: Iterable[str], size: float) -> np.ndarray:
    """The usual counts of words, scaled so that those of all words are ``size``.

    Each word is usual at least once. Words of the background that nobody says count in the whole.
    """
    usual = Counter(word for text in background for word in set(words(text)) - STOP_WORDS)
    usual.update(every)
    counts = np.array([usual[word] for word in every], np.float64)
    return counts * size / usual.total()


def _columns(images: Sequence[Counter[str]], every: Sequence[str]) -> csc_array:
    """``(N, W + 1)``: how often each word is said of each image, and all words together."""
    number = {word: column for column, word in enumerate(every)}
    entries = [
        (row, number[word], count) for row, one in enumerate(images) for word, count in one.items()
    ]
    rows, places, counts = zip(*entries, strict=True) if entries else ((), (), ())
    found = csc_array((counts, (rows, places)), shape=(len(images), len(every)))
    return hstack([found, found.sum(axis=1)[:, None]], format="csc")


def _delta(counts: Sequence[np.ndarray], prior: np.ndarray, size: float) -> np.ndarray:
    """The difference of log-odds after the prior; the last count is that of all words."""
    logs = []
    for count in counts:
        said = count[..., :-1] + prior
        logs.append(np.log(said / (count[..., -1:] + size - said)))
    difference: np.ndarray = logs[0] - logs[1]
    return difference

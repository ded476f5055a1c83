"""What a study shows, in sentences: only what an interval supports, and what none does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from prompt_ensemble.core.intervals import Difference
from prompt_ensemble.evaluation.text_measures import COSINE
from prompt_ensemble.study.measures import ACCURACY, IMAGE_GAIN, MEASURES

if TYPE_CHECKING:
    from prompt_ensemble.study.compared import Comparison, Pair
    from prompt_ensemble.study.study import Study
    from prompt_ensemble.study.word_odds import WordOdds

_WORDS_NAMED = 8


def conclude(study: Study) -> tuple[str, ...]:
    """All sentences, pair after pair."""
    sentences = [sentence for pair in study.pairs for sentence in _about_pair(study, pair)]
    return (*sentences, *_about_images(study))


def comparisons_made(study: Study) -> int:
    """How many intervals stand behind the sentences, of which chance alone misses one in twenty."""
    parts = sum(len(found.differences) for part in study.parts.values() for found in part.values())
    return parts + sum(len(found.differences) for found in study.measures.values())


def shown(gain: Difference) -> bool:
    """Whether the interval leaves out 0."""
    return gain.low > 0 or gain.high < 0


def _about_pair(study: Study, pair: Pair) -> Iterator[str]:
    """Accuracy first, then where, then why, then what no interval shows."""
    silent = []
    ordered = [*ACCURACY, *(name for name in study.measures if name not in ACCURACY)]
    for name in (name for name in ordered if name in study.measures):
        gain = study.measures[name].differences.get(pair)
        if gain is not None and shown(gain):
            yield _sentence(name, gain, pair)
            if name == COSINE:
                yield from _about_parts(study.parts, pair)
        else:
            silent.append(MEASURES[name].label)
    if len(silent) == len(study.measures):
        yield f"Between {pair[0]} and {pair[1]} no difference is shown in any measure."
    elif silent:
        yield f"Between {pair[0]} and {pair[1]} no difference is shown in {_listed(silent)}."
    yield from _about_words(study.words.get(pair, ()), pair)


def _sentence(name: str, gain: Difference, pair: Pair) -> str:
    """The one with more first."""
    measure = MEASURES[name]
    more, less = pair if gain.low > 0 else pair[::-1]
    low, high = sorted((abs(gain.low), abs(gain.high)))
    digits = measure.places
    return (
        f"{more} {measure.says} {less} by {abs(gain.mean):.{digits}f} "
        f"(95% {low:.{digits}f} to {high:.{digits}f})."
    )


def _about_parts(parts: Mapping[str, Mapping[str, Comparison]], pair: Pair) -> Iterator[str]:
    """In which parts either is nearer to the prompts."""
    for kind, comparisons in parts.items():
        for name, sign in zip(pair, (1, -1), strict=True):
            labels = [
                f"{label} ({abs(gain.mean):.3f})"
                for label, found in comparisons.items()
                if (gain := found.differences.get(pair)) and shown(gain) and sign * gain.mean > 0
            ]
            if labels:
                yield f"By {kind}, {name} is shown to be nearer in {_listed(labels)}."


def _about_words(words: Sequence[WordOdds], pair: Pair) -> Iterator[str]:
    """What each says more than the other, and what the other never says."""
    for name, other, sign in ((*pair, 1), (*pair[::-1], -1)):
        mine = [one for one in words if sign * one.odds > 0]
        mine.sort(key=lambda one: -abs(one.odds))
        never = [one.word for one in mine if (one.second if sign > 0 else one.first) == 0]
        often = [one.word for one in mine if one.word not in never]
        if often:
            yield f"{name} says more often than {other}: {_listed(_quoted(often))}."
        if never:
            yield f"{name} says and {other} never does: {_listed(_quoted(never))}."


def _about_images(study: Study) -> Iterator[str]:
    """Whose captions are shown to depend on the image at all."""
    found = study.measures.get(IMAGE_GAIN)
    for name, summary in found.summaries.items() if found else ():
        score = summary.score
        if score.low is None or score.high is None:
            continue
        if score.low > 0:
            yield (
                f"{name} looks: its captions are nearer to their own image's prompts than to "
                f"others' by {score.mean:.3f} (95% {score.low:.3f} to {score.high:.3f})."
            )
        else:
            yield f"That {name}'s captions depend on the image is not shown."


def _quoted(words: Sequence[str]) -> list[str]:
    return [f"“{word}”" for word in words[:_WORDS_NAMED]]


def _listed(names: Sequence[str]) -> str:
    """Names with commas, and the last with "and"."""
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} and {names[-1]}"

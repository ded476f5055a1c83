"""What a study shows, in sentences: only what an interval supports, and what none does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prompt_ensemble.core.intervals import Difference
from prompt_ensemble.evaluation.text_measures import COSINE
from prompt_ensemble.study.measures import IMAGE_GAIN, MEASURES

if TYPE_CHECKING:
    from prompt_ensemble.study.compared import Comparison, Pair
    from prompt_ensemble.study.study import Study
    from prompt_ensemble.study.word_odds import WordOdds

_WORDS_NAMED = 8


@dataclass(frozen=True)
class Conclusion:
    """Sentences."""

    headline: tuple[str, ...]
    """Who is nearer to the prompts, and whose captions depend on the image."""
    details: Mapping[Pair, tuple[str, ...]]
    """Everything else that is shown of two captioners, and what is not."""

    def __str__(self) -> str:
        """The headline, and the details where they are of a single pair."""
        details = [sentence for sentences in self.details.values() for sentence in sentences]
        return "\n".join([*self.headline, *(details if len(self.details) == 1 else ())])


def conclude(study: Study) -> Conclusion:
    """All that the intervals support."""
    nearer = [_about_nearness(study, pair) for pair in study.pairs]
    details = {pair: tuple(_about_pair(study, pair)) for pair in study.pairs}
    return Conclusion((*nearer, *_about_images(study)), details)


def comparisons_made(study: Study) -> int:
    """How many intervals stand behind the sentences, of which chance alone misses one in twenty."""
    parts = sum(len(found.differences) for part in study.parts.values() for found in part.values())
    return parts + sum(len(found.differences) for found in study.measures.values())


def shown(gain: Difference) -> bool:
    """Whether the interval leaves out 0."""
    return gain.low > 0 or gain.high < 0


def _about_nearness(study: Study, pair: Pair) -> str:
    """Which of two is nearer to the true prompts."""
    gain = study.measures[COSINE].differences.get(pair)
    if gain is not None and shown(gain):
        return _sentence(COSINE, gain, pair)
    return f"Neither {pair[0]} nor {pair[1]} is shown to be nearer to the true prompts."


def _about_pair(study: Study, pair: Pair) -> Iterator[str]:
    """Where either is nearer, what else differs, what no interval shows, and words."""
    yield from _about_parts(study.parts, pair)
    silent = []
    for name, found in study.measures.items():
        gain = found.differences.get(pair)
        if gain is None or not shown(gain):
            silent.append(MEASURES[name].label)
        elif name != COSINE:
            yield _sentence(name, gain, pair)
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

"""The whole study of captioners: captions, measures, what tells them apart, and where they look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from prompt_ensemble.core.embeddings import Encode
from prompt_ensemble.core.intervals import Resampling
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.evaluation.evaluate import length_bucket, length_buckets
from prompt_ensemble.evaluation.text_measures import COSINE
from prompt_ensemble.study.agreement import Agreement, agreements
from prompt_ensemble.study.captioning import Captions
from prompt_ensemble.study.compared import Comparison, Pair, Values, compare_values, compare_within
from prompt_ensemble.study.contenders import Contender
from prompt_ensemble.study.coverage import Coverage, measure_coverage
from prompt_ensemble.study.gradients import WordMap
from prompt_ensemble.study.learning_curves import LearningCurve
from prompt_ensemble.study.material import Material
from prompt_ensemble.study.measures import MEASURES, RunMeasures, measure_run
from prompt_ensemble.study.word_classes import content_classes, usual_lexicon
from prompt_ensemble.study.word_lists import CONTENT_CLASSES, NO_CLASS
from prompt_ensemble.study.word_odds import WordOdds, word_odds


@dataclass(frozen=True, eq=False)
class Looks:
    """Where captioners look, asked of a few images; empty where it was not asked."""

    image_ids: tuple[str, ...] = ()
    moved: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Contender → ``(M, g, g)``: how far each grey cell moves its captions, mean of its runs."""
    movement: Comparison | None = None
    """Of the mean over cells."""
    words: Mapping[str, tuple[WordMap, ...]] = field(default_factory=dict)
    """Contender → gradient maps of its first run."""
    curves: Mapping[str, LearningCurve] = field(default_factory=dict)
    """Run → its training."""


@dataclass(frozen=True, eq=False)
class Study:
    """All that is found; arrays and lists are in the order of the material's images."""

    material: Material
    contenders: tuple[Contender, ...]
    captions: Mapping[str, Captions]
    """Run → what it says."""
    runs: Mapping[str, RunMeasures]
    coverage: Mapping[str, Coverage]
    measures: Mapping[str, Comparison]
    """Measure → all contenders."""
    parts: Mapping[str, Mapping[str, Comparison]]
    """Source, length or content → label → the MiniLM cosine within it."""
    words: Mapping[Pair, tuple[WordOdds, ...]]
    agreement: Mapping[Pair, Agreement]
    settings: Mapping[str, object]
    looks: Looks = Looks()
    doubts: tuple[str, ...] = ()
    """What makes it unfair, leaks first."""
    left_out: tuple[str, ...] = ()
    """Of each image that cannot be read the reason."""

    @property
    def pairs(self) -> list[Pair]:
        """Every two contenders."""
        return list(combinations([contender.name for contender in self.contenders], 2))

    def values(self, measure: str) -> dict[str, np.ndarray]:
        """Contender → ``(N, S)`` of a measure."""
        return _values(self.contenders, self.runs, measure)


def study_captions(
    material: Material,
    contenders: Sequence[Contender],
    captions: Mapping[str, Captions],
    encode: Encode,
    *,
    settings: Mapping[str, object] | None = None,
    looks: Looks = Looks(),
    doubts: Sequence[str] = (),
    left_out: Sequence[str] = (),
    progress: Progress = silent,
) -> Study:
    """Everything that captions and prompts tell, without any model but the sentence encoder."""
    resampling = Resampling(material.groups)
    lexicon = usual_lexicon()
    vectors, coverage, runs = {}, {}, {}
    with progress("judging captions", len(captions), "run") as advance:
        for name, said in captions.items():
            vectors[name] = encode(said.texts)
            coverage[name] = measure_coverage(said.texts, material.references, lexicon)
            runs[name] = measure_run(
                said.texts, vectors[name], material, coverage[name], resampling
            )
            advance(1)
    found = {
        measure: compare_values(_values(contenders, runs, measure), material.groups)
        for measure in MEASURES
    }
    texts = {c.name: [captions[run.name].texts for run in c.runs] for c in contenders}
    of_contender = {c.name: [vectors[run.name] for run in c.runs] for c in contenders}
    return Study(
        material=material,
        contenders=tuple(contenders),
        captions=captions,
        runs=runs,
        coverage=coverage,
        measures={name: comparison for name, comparison in found.items() if comparison},
        parts=_parts(material, _values(contenders, runs, COSINE)),
        words=_words(texts, material, resampling),
        agreement=agreements(of_contender, texts, material.groups),
        settings=settings or {},
        looks=looks,
        doubts=tuple(doubts),
        left_out=tuple(left_out),
    )


def most_frequent(study: Study, contender: Contender, kind: str, count: int) -> list[str]:
    """The content words that a contender most often makes up, or misses, over all its runs."""
    words = Counter[str]()
    for run in contender.runs:
        words.update(getattr(study.coverage[run.name], kind))
    return [word for word, _ in sorted(words.items(), key=lambda item: (-item[1], item[0]))[:count]]


def _values(
    contenders: Sequence[Contender], runs: Mapping[str, RunMeasures], measure: str
) -> dict[str, np.ndarray]:
    return {
        c.name: np.stack([runs[run.name].per_image[measure] for run in c.runs], axis=1)
        for c in contenders
    }


def _parts(material: Material, cosines: Values) -> dict[str, dict[str, Comparison]]:
    """The cosine within sources, lengths of the first prompt, and classes of content."""
    sources = [(image.source,) for image in material.images]
    lengths = [(length_bucket(image.prompts[0]),) for image in material.images]
    content = [content_classes(image.prompts) for image in material.images]
    known = sorted({source for (source,) in sources} - {""})
    parts = {
        "source": compare_within(cosines, sources, known, material.groups),
        "length of the prompt": compare_within(cosines, lengths, length_buckets(), material.groups),
        "content": compare_within(cosines, content, [*CONTENT_CLASSES, NO_CLASS], material.groups),
    }
    return {kind: found for kind, found in parts.items() if found}


def _words(
    texts: Mapping[str, Sequence[Sequence[str]]], material: Material, resampling: Resampling
) -> dict[Pair, tuple[WordOdds, ...]]:
    """Words that tell every two contenders apart, against what all texts say."""
    prompts = [prompt for image in material.images for prompt in image.prompts]
    everything = [*prompts, *(text for runs in texts.values() for some in runs for text in some)]
    return {
        (first, second): word_odds(texts[first], texts[second], everything, resampling)
        for first, second in combinations(texts, 2)
    }

"""Measures of texts against the true prompts: by meaning, by words, and by what is wrong with them.

BLEU-4 is sacrebleu's in lower case, from 0 to 100; CIDEr-D is that of COCO, from 0 to 10, its word
weights from the prompts judged; ROUGE-L is rouge-score's F-measure. Of several prompts of an image
the nearest counts for the cosine and ROUGE-L; BLEU-4 and CIDEr-D know themselves what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from prompt_ensemble.core.embeddings import Encode
from prompt_ensemble.core.errors import MismatchedIds
from prompt_ensemble.core.extras import import_extra
from prompt_ensemble.core.intervals import ENDS, Resampling, Score
from prompt_ensemble.core.text_faults import is_broken, is_empty, is_repetitive, words
from prompt_ensemble.evaluation.distinct_phrases import distinct_share

COSINE = "cosine"
LABELS = {
    COSINE: "MiniLM cosine",
    "bleu4": "BLEU-4, mean",
    "corpus_bleu4": "BLEU-4, corpus",
    "rouge_l": "ROUGE-L",
    "cider_d": "CIDEr-D",
    "distinct_1": "distinct-1",
    "distinct_2": "distinct-2",
}
"""Name of each measure for programs → for people."""
FAULTS: Mapping[str, Callable[[str], bool]] = {
    "empty": is_empty,
    "repetitive": is_repetitive,
    "broken": is_broken,
}
_ORDERS = 4
"""BLEU-4 counts phrases of one to four words."""
_OTHERWISE = "judge no words with 'evaluate --no-text'"

References = Sequence[Sequence[str]]
"""The true prompts of each image, one or several."""


@dataclass(frozen=True, eq=False)
class TextMeasures:
    """All measures of the texts of some images; arrays and lists are in the order of these."""

    image_ids: tuple[str, ...]
    scores: Mapping[str, Score]
    """Measure → its value over all images, with a 95% interval."""
    per_image: Mapping[str, np.ndarray]
    """Measure → ``(N,)``, of those measures that an image has by itself."""
    faults: Mapping[str, tuple[bool, ...]]
    """Fault → which texts have it."""

    def faults_of(self, row: int) -> str:
        """The faults of one text, in words."""
        return ", ".join(fault for fault, found in self.faults.items() if found[row])

    def __str__(self) -> str:
        width = max(map(len, LABELS.values())) + 2
        rows = [f"{LABELS[name]:<{width}}{score}" for name, score in self.scores.items()]
        counts = ", ".join(f"{sum(found)} {fault}" for fault, found in self.faults.items())
        return "\n".join([*rows, f"{'texts':<{width}}{counts} of {len(self.image_ids)}"])


def measure_texts(
    texts: Mapping[str, str],
    references: Mapping[str, Sequence[str]],
    encode: Encode,
    seed: int = 0,
) -> TextMeasures:
    """All measures of texts by image id, each image resampled by itself; joined by id."""
    require_libraries()
    image_ids = tuple(references)
    in_order = [texts[image_id] for image_id in _same_images(texts, image_ids)]
    prompts = [references[image_id] for image_id in image_ids]
    nearest = nearest_cosines(in_order, prompts, encode)
    return judge(image_ids, in_order, prompts, nearest, Resampling.of_images(len(prompts), seed))


def judge(
    image_ids: tuple[str, ...],
    texts: Sequence[str],
    references: References,
    cosines: np.ndarray,
    resampling: Resampling,
) -> TextMeasures:
    """All measures of texts whose cosines are known, each with the interval of ``resampling``."""
    require_libraries()
    statistics, sentence_scores = _bleu(texts, references)
    per_image = {
        COSINE: cosines,
        "bleu4": sentence_scores,
        "rouge_l": _rouge_l(texts, references),
        "cider_d": _cider_d(texts, references),
    }
    intervals = resampling.intervals(np.stack(list(per_image.values()), axis=1))
    said = [words(text) for text in texts]
    scores = dict(zip(per_image, intervals, strict=True)) | {
        "corpus_bleu4": _corpus_bleu(statistics, resampling),
        "distinct_1": distinct_share(said, 1, resampling),
        "distinct_2": distinct_share(said, 2, resampling),
    }
    return TextMeasures(
        image_ids=image_ids,
        scores={name: scores[name] for name in LABELS},
        per_image=per_image,
        faults={name: tuple(map(fault, texts)) for name, fault in FAULTS.items()},
    )


def require_libraries() -> None:
    """Complain now about a library that is missing, and not after the texts are embedded."""
    _sacrebleu()
    _rouge_scorer()
    _cider()


def nearest_cosines(texts: Sequence[str], references: References, encode: Encode) -> np.ndarray:
    """Cosine of each text to the nearest of its prompts, ``(N,)`` float64."""
    counts = [len(prompts) for prompts in references]
    of_texts = np.repeat(encode(texts), counts, axis=0)
    of_prompts = encode([prompt for prompts in references for prompt in prompts])
    cosines = np.einsum("ij,ij->i", of_texts, of_prompts, dtype=np.float64)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    nearest: np.ndarray = np.maximum.reduceat(cosines, starts)
    return nearest


def _same_images(texts: Mapping[str, str], image_ids: Sequence[str]) -> Sequence[str]:
    """The ids themselves, if they are those of the texts."""
    strangers = [image_id for image_id in texts if image_id not in set(image_ids)]
    if strangers:
        raise MismatchedIds(
            f"{len(strangers)} images with a text have no true prompt, first {strangers[0]!r}; "
            "score against the prompts of the same images"
        )
    absent = [image_id for image_id in image_ids if image_id not in texts]
    if absent:
        raise MismatchedIds(
            f"{len(absent)} of {len(image_ids)} images have no text, first {absent[0]!r}; "
            "caption them too, or leave their prompts out"
        )
    return image_ids


def _sacrebleu() -> ModuleType:
    return import_extra("sacrebleu", "text", "BLEU-4 needs sacrebleu", _OTHERWISE)


def _rouge_scorer() -> ModuleType:
    module = "rouge_score.rouge_scorer"
    return import_extra(module, "text", "ROUGE-L needs rouge-score", _OTHERWISE)


def _cider() -> ModuleType:
    module = "pycocoevalcap.cider.cider"
    return import_extra(module, "text", "CIDEr-D needs pycocoevalcap", _OTHERWISE)


def _bleu(texts: Sequence[str], references: References) -> tuple[np.ndarray, np.ndarray]:
    """What BLEU-4 counts in each text, ``(N, 10)``, and its value for the text alone, ``(N,)``."""
    metric = _sacrebleu().BLEU(lowercase=True, effective_order=True)
    found = [
        metric.sentence_score(text, list(prompts))
        for text, prompts in zip(texts, references, strict=True)
    ]
    counts = [[*one.counts, *one.totals, one.sys_len, one.ref_len] for one in found]
    return np.array(counts, np.float64), np.array([one.score for one in found])


def _corpus_bleu(statistics: np.ndarray, resampling: Resampling) -> Score:
    """BLEU-4 of all texts as one, from what it counted in each; counts of resamples add up too."""
    images = len(statistics)
    value = _bleu_of(statistics.sum(axis=0))
    if resampling.group_count == 1:
        return Score(value, None, None, images)
    resampled = resampling.means(statistics) * images
    low, high = np.quantile([_bleu_of(counts) for counts in resampled], ENDS)
    return Score(value, float(low), float(high), images)


def _bleu_of(counts: np.ndarray) -> float:
    """BLEU-4 from counts of matches, of phrases, and the two lengths."""
    *numbers, spoken, wanted = np.rint(counts).astype(int).tolist()
    matches, phrases = numbers[:_ORDERS], numbers[_ORDERS:]
    found = _sacrebleu().BLEU.compute_bleu(matches, phrases, spoken, wanted, smooth_method="exp")
    return float(found.score)


def _rouge_l(texts: Sequence[str], references: References) -> np.ndarray:
    """F-measure of the longest common subsequence with the nearest prompt, ``(N,)``."""
    scorer = _rouge_scorer().RougeScorer(["rougeL"])
    return np.array(
        [
            scorer.score_multi(prompts, text)["rougeL"].fmeasure
            for text, prompts in zip(texts, references, strict=True)
        ],
        np.float64,
    )


def _cider_d(texts: Sequence[str], references: References) -> np.ndarray:
    """CIDEr-D of each text, ``(N,)``; of an image alone it is 0, as every word is everywhere."""
    said = {row: [_spaced(text)] for row, text in enumerate(texts)}
    wanted = {row: [_spaced(prompt) for prompt in some] for row, some in enumerate(references)}
    if not any(prompt for some in wanted.values() for prompt in some):
        return np.zeros(len(texts))
    _, per_image = _cider().Cider().compute_score(wanted, said)
    return np.asarray(per_image, np.float64)


def _spaced(text: str) -> str:
    """The words of a text with spaces between them, as the library cuts at spaces."""
    return " ".join(words(text))

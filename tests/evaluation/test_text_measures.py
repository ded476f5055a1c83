"""Measures of texts whose values are known, or that the libraries give for whole corpora."""

import sys

import numpy as np
import pytest
import sacrebleu

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, unit_rows
from prompt_ensemble.core.errors import MismatchedIds, MissingDependency
from prompt_ensemble.core.intervals import Resampling
from prompt_ensemble.evaluation.text_measures import (
    LABELS,
    judge,
    measure_texts,
    nearest_cosines,
    require_libraries,
)

PROMPTS = {
    "a": ("a cat on a roof, oil painting, highly detailed",),
    "b": ("a dog in the park", "a brown dog that runs through a park"),
    "c": ("an old ship in a storm, engraving",),
    "d": ("portrait of a robot, studio light, sharp focus",),
}
TEXTS = {
    "b": "a brown dog in the park",
    "a": "A Cat on a Roof, oil painting",
    "c": "a ship ship in a storm",
    "d": "",
}


def encode(texts):
    """A direction for each set of letters."""
    rows = [[text.lower().count(chr(97 + place)) for place in range(26)] for text in texts]
    return unit_rows(np.pad(np.array(rows, float), ((0, 0), (0, EMBEDDING_WIDTH - 26))))


@pytest.fixture(scope="module")
def measured():
    return measure_texts(TEXTS, PROMPTS, encode)


def test_every_measure_has_an_interval_around_it(measured):
    assert tuple(measured.scores) == tuple(LABELS)
    for name, score in measured.scores.items():
        assert score.low <= score.mean + 1e-6, name
        assert score.mean <= score.high + 1e-6, name
        assert score.images == 4


def test_the_same_texts_are_as_good_as_can_be():
    prompts = {name: some[:1] for name, some in PROMPTS.items()}
    perfect = measure_texts({name: some[0] for name, some in prompts.items()}, prompts, encode)
    means = {name: score.mean for name, score in perfect.scores.items()}
    assert means["cosine"] == pytest.approx(1, abs=1e-5)
    assert means["bleu4"] == pytest.approx(100)
    assert means["corpus_bleu4"] == pytest.approx(100)
    assert means["rouge_l"] == pytest.approx(1)
    assert means["cider_d"] == pytest.approx(10, abs=1e-4)


def test_corpus_bleu_is_that_of_the_library_over_all_texts(measured):
    texts = [TEXTS[name] for name in PROMPTS]
    lists = [
        [some[0] for some in PROMPTS.values()],
        [some[1] if len(some) > 1 else None for some in PROMPTS.values()],
    ]
    expected = sacrebleu.corpus_bleu(texts, lists, lowercase=True).score
    assert measured.scores["corpus_bleu4"].mean == pytest.approx(expected)


def test_each_image_is_judged_by_itself_first(measured):
    assert measured.image_ids == tuple(PROMPTS)
    assert measured.per_image["rouge_l"] == pytest.approx([14 / 16, 10 / 11, 8 / 13, 0])
    assert measured.per_image["bleu4"][3] == measured.per_image["cider_d"][3] == 0
    assert measured.per_image["cider_d"][0] > measured.per_image["cider_d"][2] > 0
    for name, values in measured.per_image.items():
        assert measured.scores[name].mean == pytest.approx(values.mean())


def test_of_several_prompts_the_nearest_counts():
    cosines = nearest_cosines(["ab", "cd"], [("b", "ab"), ("c",)], encode)
    assert cosines == pytest.approx([1, np.sqrt(0.5)])


def test_faults_are_counted_and_told(measured):
    assert {name: sum(found) for name, found in measured.faults.items()} == {
        "empty": 1,
        "repetitive": 1,
        "broken": 0,
    }
    assert [measured.faults_of(row) for row in range(4)] == ["", "", "repetitive", "empty"]
    assert str(measured).splitlines()[-1].endswith("1 empty, 1 repetitive, 0 broken of 4")


def test_one_image_alone_has_no_interval_and_no_cider():
    alone = measure_texts({"a": TEXTS["a"]}, {"a": PROMPTS["a"]}, encode)
    assert alone.scores["cider_d"].mean == 0
    assert alone.scores["bleu4"].mean == pytest.approx(alone.scores["corpus_bleu4"].mean)
    assert {score.low for score in alone.scores.values()} == {None}
    assert "too few for an interval" in str(alone)


def test_texts_and_prompts_without_a_word_are_judged_too():
    silent = measure_texts({"a": "", "b": " "}, {"a": ("",), "b": ("",)}, encode)
    assert all(silent.scores[name].mean == 0 for name in LABELS if name != "cosine")
    assert sum(silent.faults["empty"]) == 2


def test_images_of_one_group_are_drawn_together():
    right, wrong = "a cat on a roof", "two dogs in the park"
    texts = [right, right, wrong, wrong] * 3
    prompts = [(right,)] * 12
    cosines = np.array([1.0, 1.0, 0.0, 0.0] * 3)
    ids = tuple(map(str, range(12)))
    single = judge(ids, texts, prompts, cosines, Resampling.of_images(12))
    pairs = judge(ids, texts, prompts, cosines, Resampling(np.arange(12) // 2))
    for name in ("cosine", "rouge_l", "corpus_bleu4"):
        assert single.scores[name].mean == pytest.approx(pairs.scores[name].mean)
        assert _width(pairs.scores[name]) > _width(single.scores[name])


def _width(score):
    return score.high - score.low


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({**TEXTS, "z": "a cat"}, "1 images with a text have no true prompt, first 'z'"),
        ({"a": "a cat"}, "3 of 4 images have no text, first 'b'"),
    ],
)
def test_texts_and_prompts_are_of_the_same_images(texts, message):
    with pytest.raises(MismatchedIds, match=message) as caught:
        measure_texts(texts, PROMPTS, encode)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "module", ["sacrebleu", "rouge_score.rouge_scorer", "pycocoevalcap.cider.cider"]
)
def test_a_missing_library_is_told_before_any_work(monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependency, match=r"pip install 'prompt-ensemble\[text\]'"):
        require_libraries()
    with pytest.raises(MissingDependency):
        measure_texts(TEXTS, PROMPTS, lambda texts: pytest.fail("it was embedded first"))

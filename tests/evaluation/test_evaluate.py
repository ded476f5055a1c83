"""Measures of a run whose predictions are known."""

import csv
import json
import sys

import numpy as np
import pytest
from evaluated_run import answer, write_run

from prompt_ensemble.cli.main import main
from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings, unit_rows
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.score import mean_cosine
from prompt_ensemble.data.truth import Truth, load_prompts, load_sources
from prompt_ensemble.evaluation import controls, retrieval
from prompt_ensemble.evaluation.evaluate import compare, evaluate, length_bucket
from prompt_ensemble.evaluation.finished_run import (
    ANSWER,
    BLEND,
    FinishedRun,
    read_run,
    with_embedded_answers,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    write_run(folder)
    write_run(folder, noise=1.3, seed=1)
    return folder


@pytest.fixture(scope="module")
def truth(folder) -> Truth:
    table = folder / "prompts.csv"
    embeddings = Embeddings.load(folder / "truth.safetensors")
    return Truth(embeddings, load_prompts(table), load_sources(table))


@pytest.fixture(scope="module")
def evaluation(folder, truth):
    return evaluate(read_run([folder / "run0"]), truth)


def test_every_prediction_is_scored_by_the_competition_s_metric(folder, truth, evaluation):
    run = read_run([folder / "run0"])
    assert set(evaluation.scores) == {"seer", "talker", BLEND}
    for name, part in run.predictions.items():
        assert evaluation.scores[name].mean == pytest.approx(mean_cosine(part, truth.embeddings))
        assert (
            evaluation.scores[name].low
            < evaluation.scores[name].mean
            < evaluation.scores[name].high
        )
    assert list(evaluation.scores)[-1] == "talker"


def test_sources_and_lengths_part_the_images(evaluation):
    assert list(evaluation.by_source) == ["source0", "source1"]
    assert list(evaluation.by_length) == ["1-5 words", "6-10 words", "11-20 words"]
    for parts in (evaluation.by_source, evaluation.by_length):
        images = [scores["seer"].images for scores in parts.values()]
        means = [scores["seer"].mean for scores in parts.values()]
        assert sum(images) == 24
        assert np.average(means, weights=images) == pytest.approx(evaluation.scores["seer"].mean)


def test_controls_know_nothing(evaluation):
    assert abs(evaluation.constant.mean) < 0.1
    assert all(abs(value) < 0.05 for value in evaluation.shuffled.values())


def test_the_constant_never_sees_its_own_group():
    truth = unit_rows(np.random.default_rng(0).normal(size=(6, EMBEDDING_WIDTH)))
    groups = np.array([0, 0, 1, 2, 2, 2])
    elsewhere = controls.mean_of_other_groups(truth, groups)
    assert np.allclose(elsewhere[0], truth[2:].mean(axis=0))
    assert np.allclose(elsewhere[4], truth[:3].mean(axis=0))
    pairs = [truth[2] @ truth[other] for other in (0, 1, 3, 4, 5)]
    assert controls.shuffled_cosines(truth, elsewhere)[2] == pytest.approx(np.mean(pairs), abs=1e-6)


def test_ranks_count_the_distinct_prompts_that_are_nearer():
    truth = np.eye(EMBEDDING_WIDTH, dtype=np.float32)[[0, 1, 1, 2, 3]]
    predicted = truth.copy()
    predicted[0, :3] = [0.1, 0.9, 0.5]
    ranks, prompts = retrieval.true_prompt_ranks(predicted, truth)
    assert (ranks.tolist(), prompts) == ([3, 1, 1, 1, 1], 4)
    measured = retrieval.measure(predicted, truth)
    assert (measured.recall_at_1, measured.recall_at_5, measured.mean_rank) == (0.8, 1.0, 1.4)


def test_the_blend_needs_its_better_member_more(evaluation):
    assert evaluation.loss_without["seer"].mean > evaluation.loss_without["talker"].mean
    assert evaluation.leading == BLEND
    assert evaluation.memory == {"seer": 70, "talker": 70}
    assert evaluation.seconds == {"seer": pytest.approx(0.05), "talker": pytest.approx(0.05)}


def test_two_runs_are_compared_image_by_image(folder, truth, evaluation):
    other = evaluate(read_run([folder / "run1"]), truth)
    gains = compare(evaluation, other, truth.embeddings)
    assert set(gains) == {"seer", "talker", BLEND}
    expected = evaluation.scores["seer"].mean - other.scores["seer"].mean
    assert gains["seer"].mean == pytest.approx(expected)
    assert gains["seer"].beyond_noise
    same = compare(evaluation, evaluation, truth.embeddings)["seer"]
    assert (same.mean, same.p_value) == (0, 1)


def test_files_side_by_side_are_a_run_too(folder, truth):
    run = read_run([folder / "run0" / "submission.csv", folder / "truth.safetensors"])
    assert isinstance(run, FinishedRun)
    assert evaluate(run, truth).scores["truth"].mean == pytest.approx(1)


@pytest.mark.parametrize(
    ("words", "bucket"),
    [(0, ""), (1, "1-5 words"), (5, "1-5 words"), (6, "6-10 words"), (41, "over 40 words")],
)
def test_lengths_fall_into_buckets(words, bucket):
    assert length_bucket("word " * words) == bucket


def test_the_command_leaves_a_page_a_table_and_a_record(folder, tmp_path, capsys):
    asked = ["evaluate", str(folder / "run0"), "--truth", str(folder / "truth.safetensors")]
    asked += ["--against", str(folder / "run1"), "--images", str(folder / "images")]
    assert main([*asked, "--out", str(tmp_path), "--quiet", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record == json.loads((tmp_path / "evaluation.json").read_text())
    assert record["leading"] == BLEND
    assert record["gain"]["seer"]["low"] > 0
    with (tmp_path / "images.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24
    mean = np.mean([float(row["seer"]) for row in rows])
    assert mean == pytest.approx(record["predictions"]["seer"]["score"]["mean"], abs=1e-6)
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_prompts_and_sources_come_from_one_table(folder, tmp_path, capsys):
    asked = ["evaluate", str(folder / "run0"), "--truth", str(folder / "prompts.csv")]
    assert main([*asked, "--out", str(tmp_path), "--quiet", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["by_source"]) == ["source0", "source1"]
    with (tmp_path / "images.csv").open() as file:
        assert next(csv.DictReader(file))["prompt"] == "a <b>castle</b> number 0"


def test_without_matplotlib_the_page_names_the_extra_and_numbers_need_none(
    folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    asked = ["evaluate", str(folder / "run0"), "--truth", str(folder / "truth.safetensors")]
    assert main([*asked, "--quiet", "--json"]) == 0
    assert main([*asked, "--quiet", "--out", str(tmp_path)]) == 1
    assert "pip install 'prompt-ensemble[plots]'" in capsys.readouterr().err


def test_the_command_speaks_to_people(folder, capsys):
    asked = ["evaluate", str(folder / "run0"), "--truth", str(folder / "truth.safetensors")]
    assert main([*asked, "--quiet"]) == 0
    printed = capsys.readouterr().out
    assert "constant control" in printed
    assert printed.startswith(BLEND)


@pytest.fixture(scope="module")
def speaking(tmp_path_factory):
    """A run that answers with texts: half of them right, one not there, one that stutters."""
    folder = tmp_path_factory.mktemp("speaking")
    run = write_run(folder)
    prompts = load_prompts(folder / "prompts.csv")
    texts = {i: p if n % 2 else "something else" for n, (i, p) in enumerate(prompts.items())}
    answer(run, {**texts, "i000": "", "i002": "a cat cat"})
    return folder


def test_what_a_run_answers_is_judged_and_what_members_say_is_not(speaking):
    run = read_run([speaking / "run0"])
    assert set(run.answers) == {ANSWER}
    assert set(run.texts) == {"talker"}
    assert run.answers[ANSWER]["i002"] == "a cat cat"
    assert ANSWER not in run.predictions


def test_texts_are_predictions_and_have_measures_of_their_own(speaking, truth):
    run = with_embedded_answers(read_run([speaking / "run0"]), embed_by_number)
    found = evaluate(run, truth)
    assert set(found.scores) == {"seer", "talker", BLEND, ANSWER}
    measures = found.text_measures[ANSWER]
    assert measures.scores["cosine"].mean == pytest.approx(found.scores[ANSWER].mean)
    assert measures.image_ids == found.image_ids
    assert measures.per_image["rouge_l"][1::2] == pytest.approx(1)
    assert measures.per_image["rouge_l"][0::2].max() < 0.5
    assert (sum(measures.faults["empty"]), sum(measures.faults["repetitive"])) == (1, 1 + 10)


def embed_by_number(texts):
    """A direction for each number of words."""
    return np.eye(EMBEDDING_WIDTH, dtype=np.float32)[[len(text.split()) for text in texts]]


def test_without_true_prompts_a_text_is_its_embedding_alone(speaking, truth):
    run = with_embedded_answers(read_run([speaking / "run0"]), embed_by_number)
    found = evaluate(run, Truth(truth.embeddings))
    assert ANSWER in found.scores
    assert found.text_measures == {}


def test_tables_of_texts_are_named_by_their_files_and_one_alone_needs_no_name(speaking, tmp_path):
    for name in ("first", "second"):
        (tmp_path / f"{name}.csv").write_text("imgId,caption\ni000,a cat\n")
    alone = read_run([tmp_path / "first.csv"])
    assert alone.answers == {ANSWER: {"i000": "a cat"}}
    beside = read_run([tmp_path / "first.csv", tmp_path / "second.csv", speaking / "run0"])
    assert set(beside.answers) == {"first", "second"}
    assert set(beside.predictions) == {"seer", "talker"}
    with pytest.raises(BadConfig, match="two predictions are named 'first'"):
        read_run([tmp_path / "first.csv", tmp_path / "first.csv"])


def test_the_command_judges_the_texts_of_a_run(speaking, tmp_path, capsys):
    asked = ["evaluate", str(speaking / "run0"), "--truth", str(speaking / "prompts.csv")]
    asked += ["--quiet", "--out", str(tmp_path)]
    assert main([*asked, "--json"]) == 0
    texts = json.loads(capsys.readouterr().out)["texts"][ANSWER]
    assert texts["images"] == 24
    assert texts["corpus_bleu4"]["low"] < texts["corpus_bleu4"]["mean"]
    assert texts["faults"]["empty"] == 1
    with (tmp_path / "images.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[1]["(text) says"] == rows[1]["prompt"]
    assert float(rows[1]["(text)"]) == pytest.approx(1, abs=1e-4)
    assert np.mean([float(row["(text) rouge_l"]) for row in rows]) == pytest.approx(
        texts["rouge_l"]["mean"], abs=1e-6
    )
    assert rows[0]["(text) faults"] == "empty"
    page = (tmp_path / "report.html").read_text()
    assert "<h2>Texts</h2>" in page and "(text) says" in page and "CIDEr-D" in page
    assert main(asked) == 0
    assert "(text), by its words:\nMiniLM cosine" in capsys.readouterr().out


def test_the_command_judges_a_table_of_texts_against_a_run(speaking, tmp_path, capsys):
    table, truth = str(speaking / "prompts.csv"), str(speaking / "prompts.csv")
    asked = ["evaluate", table, "--truth", truth, "--against", str(speaking / "run0"), "--quiet"]
    assert main([*asked, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["predictions"][ANSWER]["score"]["mean"] == pytest.approx(1, abs=1e-4)
    assert record["gain"][ANSWER]["low"] > 0


def test_without_the_extra_texts_are_judged_by_their_embeddings_if_asked(
    speaking, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    asked = ["evaluate", str(speaking / "run0"), "--truth", str(speaking / "prompts.csv")]
    assert main([*asked, "--quiet"]) == 1
    error = capsys.readouterr().err
    assert (
        "pip install 'prompt-ensemble[text]', or judge no words with 'evaluate --no-text'" in error
    )
    assert error.count("\n") == 1
    assert main([*asked, "--quiet", "--no-text", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert ANSWER in record["predictions"]
    assert record["texts"] == {}

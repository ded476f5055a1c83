"""The ``score`` command on texts; on vectors it is tried in test_main.py."""

import json

import pytest

from prompt_ensemble.cli.main import main
from prompt_ensemble.evaluation.text_measures import LABELS

PROMPTS = """imgId,prompt
a,"a cat on a roof, oil painting"
b,a dog in the park at night
b,a black dog under trees
c,an old ship in a storm
"""


@pytest.fixture
def truth(tmp_path):
    (tmp_path / "prompts.csv").write_text(PROMPTS)
    return str(tmp_path / "prompts.csv")


def table(tmp_path, text, name="captions.csv"):
    (tmp_path / name).write_text(text)
    return str(tmp_path / name)


CAPTIONS = {
    "captions.csv": "image_id,prompt\nc,an old ship\na,a cat on a roof\nb,a dog dog\n",
    "named.csv": "imgId,caption\nc,an old ship\na,a cat on a roof\nb,a dog dog\n",
    "captions.jsonl": "".join(
        json.dumps({"image_id": name, "caption": text}) + "\n"
        for name, text in {"a": "a cat on a roof", "b": "a dog dog", "c": "an old ship"}.items()
    ),
}


@pytest.mark.parametrize("name", CAPTIONS)
def test_texts_are_told_from_vectors_by_their_columns(tmp_path, truth, capsys, name):
    captions = table(tmp_path, CAPTIONS[name], name)
    assert main(["score", captions, "--truth", truth, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert set(record) == {"images", *LABELS, "faults"}
    assert record["images"] == 3
    assert 0.4 < record["cosine"]["low"] < record["cosine"]["mean"] < record["cosine"]["high"] < 1
    assert record["rouge_l"]["mean"] == pytest.approx((10 / 12 + 4 / 8 + 6 / 9) / 3, abs=0.05)
    assert record["faults"] == {"empty": 0, "repetitive": 1, "broken": 0}


def test_people_read_a_line_a_measure(tmp_path, truth, capsys):
    captions = table(tmp_path, CAPTIONS["captions.csv"])
    assert main(["score", captions, "--truth", truth]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [*LABELS.values(), "texts"]
    assert all("(95% " in line for line in lines[:-1])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("image_id,words\na,a cat\n", "expected imgId (or image_id, id) and prompt or caption"),
        ("image_id,prompt\na,a cat\n", "2 of 3 images have no text, first 'b'"),
        ("image_id,prompt\nz,a cat\n", "have no true prompt, first 'z'"),
    ],
)
def test_a_wrong_table_is_one_line(tmp_path, truth, capsys, text, says):
    assert main(["score", table(tmp_path, text), "--truth", truth]) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_texts_are_not_judged_by_vectors(tmp_path, truth, capsys):
    vectors = str(tmp_path / "truth.safetensors")
    prompts = table(tmp_path, "imgId,prompt\na,a cat\n", "one.csv")
    assert main(["embed", "--from", prompts, "--out", vectors, "--quiet"]) == 0
    assert main(["score", prompts, "--truth", vectors]) == 1
    assert "holds no prompts, and texts are judged by prompts" in capsys.readouterr().err

"""What ``predict`` says at its end, to people and to programs."""

import json
from dataclasses import replace

import pytest
from worded_run import HOSTILE, worded

from prompt_ensemble.cli.main import main
from prompt_ensemble.cli.predict import as_record, summary
from prompt_ensemble.core.outputs import Line, Outputs

pytestmark = pytest.mark.usefixtures("colour")


@pytest.fixture
def prediction(photos):
    return worded(photos)


def test_the_summary_leads_with_prompts_a_line_an_image(prediction, tmp_path):
    lines = summary(prediction, tmp_path).splitlines()
    assert lines[:2] == ["photo00  0.10  a cat number 0", "photo01  0.11  a cat number 1"]
    assert lines[5] == f"…        6 more in {tmp_path / 'predictions.csv'}"
    assert lines[6].startswith("12 images, ")


def test_a_prompt_with_line_breaks_and_escapes_is_one_harmless_line(prediction, tmp_path):
    ids = prediction.words.image_ids
    texts = [[Line("prompt", "a cat\n\x1b[31mred\r\n", 0.5)]] + [[]] * (len(ids) - 1)
    odd = replace(prediction, words=Outputs.of_lines(ids, texts))
    assert summary(odd, tmp_path).splitlines()[0] == "photo00  0.50  a cat [31mred"


def test_without_words_the_summary_is_what_it_was(prediction, tmp_path):
    lines = summary(replace(prediction, words=None), tmp_path).splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("12 images, ")


def test_programs_get_every_prompt(prediction, tmp_path):
    prompts = json.loads(as_record(prediction, tmp_path))["prompts"]
    assert len(prompts) == 11
    assert prompts["photo02"] == {"prompt": HOSTILE, "trust": 0.12}


def test_the_command_tells_where_sidecars_are(photos, tmp_path, capsys):
    config = tmp_path / "mine.toml"
    config.write_text('[[members]]\nname = "one"\nmodel = "colour"\n')
    arguments = ["--config", str(config), "--out", str(tmp_path / "out"), "--quiet", "--sidecars"]
    assert main(["predict", str(photos), *arguments]) == 0
    assert "\nsidecars    " in capsys.readouterr().out

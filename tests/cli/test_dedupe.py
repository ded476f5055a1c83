"""The ``dedupe`` command with the real sentence encoder."""

import json

import pytest

from prompt_ensemble.cli.main import main
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.data.prompt_files import read_prompts


def test_near_and_exact_duplicates_go_and_the_first_stays(tmp_path, capsys):
    lines = tmp_path / "lines.txt"
    lines.write_text("a cat sitting on a roof\na castle in the fog\n\nA cat  sitting on a roof.\n")
    table = tmp_path / "table.csv"
    table.write_text('imgId,prompt\n1,"a cat sitting on the roof"\n2,a portrait of a wizard\n')
    out = tmp_path / "kept.txt"
    asked = ["dedupe", str(lines), str(table), "--out", str(out), "--quiet", "--json"]
    assert main(asked) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["prompts"], record["exact_duplicates"], record["near_duplicates"]) == (5, 1, 1)
    kept = ["a cat sitting on a roof", "a castle in the fog", "a portrait of a wizard"]
    assert out.read_text().splitlines() == kept


def test_a_table_without_prompts_is_an_error_that_names_its_columns(tmp_path):
    (tmp_path / "t.csv").write_text("id,text\n1,a\n")
    with pytest.raises(BadConfig, match=r"columns are \['id', 'text'\]"):
        read_prompts([tmp_path / "t.csv"])


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(BadConfig, match="cannot be read"):
        read_prompts([tmp_path / "none.txt"])


def test_json_lines_are_read_by_their_key(tmp_path):
    listing = tmp_path / "pairs.jsonl"
    listing.write_text('{"image": "a.png", "prompt": "a cat"}\n{"prompt": "a\\n dog"}\n')
    assert read_prompts([listing]) == ["a cat", "a dog"]
    listing.write_text('{"image": "a.png"}\n')
    with pytest.raises(BadConfig, match=r"keys \['image'\]; expected one named 'prompt'"):
        read_prompts([listing])

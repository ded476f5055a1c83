"""The ``generate`` command, from a table of prompts to pairs."""

import json

import pytest
from original_diffusion import save_original
from tiny_diffusion import save_tiny_diffusion, write_config_only

from prompt_ensemble.cli.main import main
from prompt_ensemble.data.pairs import read_pairs


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_tiny_diffusion(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def table(tmp_path):
    file = tmp_path / "prompts.csv"
    file.write_text('imgId,prompt\n1,"a cat, 8k"\n2,a castle\n')
    return file


SHORT = ["--set", "steps=2", "--set", "batch_size=2", "--device", "cpu", "--quiet"]


def test_a_table_becomes_pairs(model, table, tmp_path, capsys):
    out = tmp_path / "out"
    asked = ["generate", str(table), "--model", str(model), "--out", str(out), *SHORT]
    assert main([*asked, "--set", "images_per_prompt=2", "--source", "tiny", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["images"], record["made"], record["flagged"]) == (4, 4, 0)
    pairs = read_pairs(out / "pairs.jsonl", ())
    assert pairs.prompts == ["a cat, 8k"] * 2 + ["a castle"] * 2
    assert set(pairs.sources) == {"tiny"}


def test_a_single_file_with_small_files_of_its_own(model, table, tmp_path, capsys):
    file = save_original(model, tmp_path / "tiny.safetensors")
    small_files = write_config_only(model, tmp_path / "config")
    out = tmp_path / "out"
    asked = ["generate", str(table), "--model", str(file), "--out", str(out), *SHORT]
    assert main([*asked, "--architecture", str(small_files)]) == 0
    assert "2 images in" in capsys.readouterr().out
    assert main(asked) == 1
    assert "--architecture" in capsys.readouterr().err


def test_a_plan_writes_nothing(model, table, capsys):
    asked = ["generate", str(table), "--model", str(model), "--plan", "1000000", *SHORT]
    assert main(asked) == 0
    assert "1000000 images: " in capsys.readouterr().out


def test_somewhere_to_go_is_needed(model, table, capsys):
    assert main(["generate", str(table), "--model", str(model)]) == 2
    assert "--out DIR or --plan N" in capsys.readouterr().err

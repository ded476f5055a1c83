"""What the commands print as a captioner's defaults is what it generates with."""

import json
import shutil

import pytest

from prompt_ensemble.cli.main import main
from prompt_ensemble.members.captioners.layouts import KINDS
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.config import MemberConfig
from prompt_ensemble.run.members import make_predictor

SAVED = {"num_beams": 7, "max_new_tokens": 9, "length_penalty": 0.25}


def unwrapped(text):
    return " ".join(text.split())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "captioner"])
def test_the_help_of_caption_prints_what_runs(kind, captioners, make, capsys):
    main(["caption", "--help"])
    runs = make(kind, captioners / kind).generation
    assert unwrapped(f"{kind} {runs.brief()}") in unwrapped(capsys.readouterr().out)


@pytest.mark.parametrize("saved", [None, SAVED], ids=["published", "saved"])
def test_weights_list_prints_what_runs(captioners, tmp_path, capsys, saved):
    folder = shutil.copytree(captioners / "git", tmp_path / "git-large-coco")
    (folder / "tokenizer.json").touch()  # the manifest asks for it; nothing is loaded here
    (folder / "generation_config.json").unlink()
    if saved:
        (folder / "generation_config.json").write_text(json.dumps(saved))
    config = MemberConfig("git", "git", str(folder))
    runs = make_predictor(config, WeightRoots.usual()).generation
    assert main(["weights", "list", "--weights", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    (place,) = [place for place, line in enumerate(lines) if line.startswith("git-large-coco ")]
    assert lines[place + 1].strip() == runs.brief()
    assert ("max_new_tokens=9" in runs.brief()) == bool(saved)


def test_weights_list_tells_programs_all_values(capsys):
    assert main(["weights", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["git-large-coco"]["generation"]["length_penalty"] == 0.6
    assert "generation" not in rows["all-MiniLM-L6-v2"]

"""The command line as a user meets it."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from prompt_ensemble.cli.main import COMMANDS, main
from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings
from prompt_ensemble.core.submission import read_submission, write_submission


def test_help_is_instant_and_imports_no_torch():
    code = (
        "import sys; from prompt_ensemble.cli.main import main; main(['--help']);"
        "import time; print('torch' in sys.modules, time.process_time())"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        for _ in range(3)
    ]
    imported, seconds = zip(*(run.stdout.splitlines()[-1].split() for run in runs), strict=True)
    assert set(imported) == {"False"}
    assert min(float(second) for second in seconds) < 0.3


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name, capsys):
    assert main([name, "--help"]) == 0
    assert "Usage: prompt-ensemble" in capsys.readouterr().out


def test_an_unknown_command_names_the_near_one(capsys):
    assert main(["predikt"]) == 2
    assert "did you mean 'predict'" in capsys.readouterr().err


def test_an_error_is_one_line_and_exit_code_one(tmp_path, capsys):
    assert main(["predict", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: no images in")
    assert error.count("\n") == 1


def test_wrong_usage_is_exit_code_two(capsys):
    assert main(["predict"]) == 2


@pytest.fixture
def submission(tmp_path, photos):
    ids = [f"photo{n:02}" for n in range(12)]
    vectors = np.random.default_rng(0).normal(size=(12, EMBEDDING_WIDTH))
    embeddings = Embeddings.of(ids, vectors)
    write_submission(tmp_path / "submission.csv", embeddings)
    return tmp_path / "submission.csv"


def test_check_passes_a_right_file(submission, photos, capsys):
    assert main(["check", str(submission), "--images", str(photos)]) == 0
    assert "is right" in capsys.readouterr().out


def test_check_fails_a_wrong_file_in_json_too(submission, photos, capsys):
    submission.write_text(submission.read_text().rsplit("\n", 3)[0] + "\n")
    assert main(["check", str(submission), "--images", str(photos), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["ok"]
    assert found["faults"][0] == {"kind": "missing rows", "count": 2,
                                  "first": ["photo11_382", "photo11_383"]}  # fmt: skip


def test_check_needs_to_know_what_for(submission, capsys):
    assert main(["check", str(submission)]) == 2


def test_score_of_the_truth_is_one(submission, capsys):
    assert main(["score", str(submission), "--truth", str(submission), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mean"] == pytest.approx(1)


def test_embed_then_score_against_prompts(tmp_path, capsys):
    (tmp_path / "prompts.csv").write_text('imgId,prompt\na,"a cat, sitting"\nb,a dog\n')
    out = tmp_path / "e.csv"
    assert main(["embed", "--from", str(tmp_path / "prompts.csv"), "--out", str(out)]) == 0
    capsys.readouterr()
    assert main(["score", str(out), "--truth", str(tmp_path / "prompts.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mean"] == pytest.approx(1, abs=1e-5)


def test_embed_prints_one_object_a_text(capsys):
    assert main(["embed", "a cat", "a dog", "--quiet"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["text"] for row in rows] == ["a cat", "a dog"]
    assert len(rows[0]["embedding"]) == EMBEDDING_WIDTH


def test_blend_of_one_member_is_that_member(tmp_path, submission, capsys):
    member = read_submission(submission)
    member.save(tmp_path / "embeddings" / "one.safetensors")
    out = tmp_path / "blend.csv"
    assert main(["blend", str(tmp_path), "--weight", "one=0.3", "--out", str(out)]) == 0
    assert np.allclose(read_submission(out).vectors, member.vectors, atol=1e-6)


def test_blend_of_an_unknown_member_names_the_near_one(tmp_path, submission, capsys):
    read_submission(submission).save(tmp_path / "embeddings" / "one.safetensors")
    out = str(tmp_path / "blend.csv")
    assert main(["blend", str(tmp_path), "--weight", "onne=1", "--out", out]) == 1
    assert "did you mean 'one'" in capsys.readouterr().err


def test_weights_where_and_verify(capsys):
    assert main(["weights", "where", "efficientnet-lite0"]) == 0
    assert Path(capsys.readouterr().out.strip()).is_dir()
    assert main(["weights", "verify", "efficientnet-lite0"]) == 0


def test_weights_list_is_json_for_programs(capsys):
    assert main(["weights", "list", "--json"]) == 0
    names = [row["name"] for row in json.loads(capsys.readouterr().out)]
    assert "all-MiniLM-L6-v2" in names


def test_doctor_says_what_runs(capsys):
    assert main(["doctor", "--device", "cpu", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["presets"]["embedded-lites"].values()) == {"ready"}


def test_an_error_that_nobody_foresaw_is_one_line_and_a_log(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("prompt_ensemble.cli.main.group.main", lambda **_: 1 / 0)
    assert main(["doctor"]) == 70
    (line,) = capsys.readouterr().err.splitlines()
    (log,) = tmp_path.glob("*.log")
    assert str(log) in line
    assert "ZeroDivisionError" in line
    assert "Traceback" in log.read_text()


THREE = """prior = "embedded-prior"
[[members]]
name = "first"
model = "regressor"
weights = "embedded-lite0"
[[members]]
name = "second"
model = "phrases"
[members.options]
vectors_from = "first"
[[members]]
name = "third"
model = "git"
weights = "my-git"
"""


@pytest.fixture
def third_lacks_a_tokenizer(tmp_path):
    from tiny_captioners import save_git

    save_git(tmp_path / "my-git")
    for name in ("vocab.txt", "tokenizer.json"):
        (tmp_path / "my-git" / name).unlink(missing_ok=True)
    (tmp_path / "three.toml").write_text(THREE)
    return ["--config", str(tmp_path / "three.toml"), "--weights", str(tmp_path)]


def test_what_the_last_member_lacks_is_told_before_the_first_is_loaded(
    tmp_path, photos, capsys, third_lacks_a_tokenizer, monkeypatch
):
    monkeypatch.setattr(
        "prompt_ensemble.members.regressors.regression_predictor.RegressionPredictor.open",
        lambda *_: 1 / 0,
    )
    out = tmp_path / "out"
    assert main(["predict", str(photos), *third_lacks_a_tokenizer, "--out", str(out)]) == 1
    assert "holds no tokenizer" in capsys.readouterr().err


def test_doctor_says_the_same_of_a_configuration(capsys, third_lacks_a_tokenizer):
    assert main(["doctor", *third_lacks_a_tokenizer, "--json"]) == 0
    (members,) = json.loads(capsys.readouterr().out)["presets"].values()
    assert "holds no tokenizer" in members.pop("third")
    assert set(members.values()) == {"ready"}


def test_a_folder_that_cannot_be_written_to_is_told_before_any_model(tmp_path, photos, capsys):
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "out"
    assert main(["predict", str(photos), "--preset", "embedded-lites", "--out", str(out)]) == 1
    assert "cannot be written to" in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_told_before_the_work(tmp_path, submission, capsys):
    (tmp_path / "file").write_text("")
    out = ["--out", str(tmp_path / "file" / "page")]
    assert main(["evaluate", str(submission), "--truth", "nowhere.csv", *out]) == 1
    assert "cannot be written to" in capsys.readouterr().err


WRONG_TOGETHER = {
    "a need that is no member": (
        THREE.split('[[members]]\nname = "third')[0].replace('from = "first"', 'from = "frist"'),
        "did you mean 'first'",
    ),
    "a share of no prior": (
        "prior_weight = 0.2\n" + THREE.split('[[members]]\nname = "second')[0].split("\n", 1)[1],
        "names no prior",
    ),
    "a list that is not there": (
        THREE.split('[[members]]\nname = "third')[0] + 'banks = ["nope.txt"]\n',
        "phrase list 'nope.txt'",
    ),
    "a prior that is a model": (
        THREE.split('[[members]]\nname = "second')[0].replace("embedded-prior", "embedded-lite0"),
        "holds no prior.safetensors",
    ),
}


@pytest.mark.parametrize("name", WRONG_TOGETHER)
def test_doctor_and_predict_say_the_same_before_any_model(tmp_path, photos, capsys, name):
    toml, complaint = WRONG_TOGETHER[name]
    (tmp_path / "mine.toml").write_text(toml)
    config = ["--config", str(tmp_path / "mine.toml")]
    assert main(["doctor", *config, "--json"]) == 0
    (states,) = json.loads(capsys.readouterr().out)["presets"].values()
    assert any(complaint in state for state in states.values())
    assert main(["predict", str(photos), *config, "--out", str(tmp_path / "out")]) == 1
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out" / "store").exists()


def test_ctrl_c_is_exit_code_130(monkeypatch, capsys):
    def stopped(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("prompt_ensemble.cli.main.group.main", stopped)
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err.count("\n") == 1


def test_who_has_seen_enough_is_left_in_peace():
    code = (
        "import sys; from prompt_ensemble.cli.main import main; sys.exit(main(['weights', 'list']))"
    )
    command = f'{sys.executable} -c "{code}" | true; exit ${{PIPESTATUS[0]}}'
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert run.returncode == 0
    assert run.stderr == ""

"""Kinds of member from the package and from plugins: found, refused, and never imported early."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from prompt_ensemble.cli.main import main
from prompt_ensemble.core.errors import BadConfig, BadPlugin
from prompt_ensemble.core.submission import read_submission
from prompt_ensemble.members.registry import PREDICTORS, plugin_kinds, predictor_class

REPOSITORY = Path(__file__).parents[2]
COLOURS = """
[[members]]
name = "colours"
model = "colour-names"
options.colours = 2
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Makes an installed distribution with one kind, whose module holds the given code."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))

    def install(kind, code="", name="their-plugin"):
        module = name.replace("-", "_")
        info = tmp_path / "site" / f"{module}-2.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.0\n")
        offered = f"[prompt_ensemble.members]\n{kind} = {module}:Theirs\n"
        (info / "entry_points.txt").write_text(offered)
        (tmp_path / "site" / f"{module}.py").write_text(code)

    yield install
    for name in [name for name in sys.modules if name.endswith("_plugin")]:
        del sys.modules[name]


GOOD = """
from dataclasses import dataclass
from prompt_ensemble.members.contract import Predictor

@dataclass(frozen=True)
class TheirOptions:
    size: int = 1

class Theirs(Predictor):
    Options = TheirOptions
    identity = open = embed = None
"""


def test_without_plugins_there_are_the_packages_own_kinds():
    assert plugin_kinds() == {}


def test_a_plugins_kind_is_its_class(plugin):
    plugin("theirs", GOOD)
    assert predictor_class("theirs").__module__ == "their_plugin"


def test_kinds_are_listed_without_an_import(plugin):
    plugin("theirs", "raise SystemExit('imported')")
    assert plugin_kinds() == {"theirs": "their-plugin 2.0"}
    assert "their_plugin" not in sys.modules


def test_a_slip_in_a_plugins_kind_names_it(plugin):
    plugin("theirs", GOOD)
    with pytest.raises(BadConfig, match="unknown model kind 'thiers'; did you mean 'theirs'"):
        predictor_class("thiers")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found"),
        ("def Theirs(:", "SyntaxError"),
        ("", "has no attribute 'Theirs'"),
        ("Theirs = 3", "no subclass of Predictor"),
        (GOOD.replace("open = embed =", "open ="), "lacks embed, which every member offers"),
        (GOOD.replace("TheirOptions\n", "dict\n"), "has no dataclass 'Options'"),
    ],
)
def test_a_broken_plugin_is_one_line_that_names_its_distribution(plugin, code, reason):
    plugin("theirs", code)
    with pytest.raises(BadPlugin, match=reason) as caught:
        predictor_class("theirs")
    assert "their-plugin 2.0" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["regressor", "git"])
def test_a_kind_of_the_package_cannot_be_taken(plugin, kind):
    plugin(kind, GOOD)
    with pytest.raises(BadPlugin, match=f"their-plugin 2.0 offers the model kind '{kind}'"):
        predictor_class(kind)
    other = next(name for name in PREDICTORS if name != kind)
    assert predictor_class(other)


def test_two_plugins_of_one_kind_are_both_named(plugin):
    plugin("theirs", GOOD)
    plugin("theirs", GOOD, "another-plugin")
    with pytest.raises(BadPlugin, match=r"by another-plugin 2\.0 and their-plugin 2\.0"):
        predictor_class("theirs")


def test_the_commands_know_a_plugins_kind(plugin, capsys):
    plugin("theirs", "raise OSError('no such library')")
    assert main(["weights", "list"]) == 0
    assert "theirs           plugin their-plugin 2.0" in capsys.readouterr().out
    assert main(["weights", "list", "--json"]) == 0
    assert "theirs" in [row["kind"] for row in json.loads(capsys.readouterr().out)]
    assert main(["doctor", "--device", "cpu"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "theirs" in line]
    assert line.startswith("plugin theirs (their-plugin 2.0): the model kind 'theirs'")


def test_the_example_plugin_runs_once_it_is_installed(tmp_path, photos):
    shutil.copytree(REPOSITORY / "examples" / "plugin", tmp_path / "source")
    (tmp_path / "colours.toml").write_text(COLOURS)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    source, site = str(tmp_path / "source"), str(tmp_path / "site")
    subprocess.run([*pip, "--no-index", "--target", site, source], check=True)
    seen = [site, str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-m", "prompt_ensemble.cli.main", "predict", str(photos)]
    configured = ["--config", str(tmp_path / "colours.toml"), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, *configured, "--device", "cpu"], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(seen)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(read_submission(tmp_path / "out" / "submission.csv")) == 12

"""What README.md tells people to type works, in the order in which it stands there."""

import csv
import re
import shlex
from pathlib import Path

import pytest
from conftest import paint_photos

from prompt_ensemble.cli.main import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
SLOW = ("interrogate",)
"""Commands that embed a hundred thousand phrases once."""
NOT_RUN = ("train", "study")
"""Commands that take a user's own hours; what they do has tests of its own."""


def blocks(*languages: str) -> list[str]:
    found = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return [text for language, text in found if language in languages]


def commands() -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("prompt-ens")]


@pytest.fixture
def workplace(tmp_path, monkeypatch, captioners):
    """A folder with all that the README's reader has."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my").mkdir()
    paint_photos(tmp_path / "my" / "images", 10)
    (tmp_path / "my" / "weights").symlink_to(captioners)
    names = ["a red cat", "two blue dogs", "a tall tree", "an old ship", "a bowl of soup"]
    prompts = [f"{name}, {way}" for name in names for way in ("oil painting", "photo at night")]
    with (tmp_path / "prompts.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["imgId", "prompt"])
        rows.writerows((f"photo{n:02}", prompt) for n, prompt in enumerate(prompts))
    (tmp_path / "prompts.txt").write_text("\n".join(prompts))
    (tmp_path / "mine.toml").write_text(blocks("toml")[0])
    return tmp_path


def test_every_command_works(workplace, capsys):
    tried = [words for words in commands() if words[1] not in (*SLOW, *NOT_RUN)]
    assert len(tried) > 12
    for words in tried:
        assert main(words[1:]) == 0, (words, capsys.readouterr().err)


@pytest.mark.slow
def test_every_slow_command_works(workplace, capsys):
    for words in commands():
        if words[1] in SLOW:
            assert main(words[1:]) == 0, (words, capsys.readouterr().err)


def test_every_python_block_runs(workplace, capsys):
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    assert "(10, 384)" in capsys.readouterr().out


def test_the_preset_is_one(workplace):
    assert main(["doctor", "--config", "mine.toml", "--json"]) == 0


def test_every_make_target_exists():
    targets = set(re.findall(r"(?:^|&& )make ([a-z-]+)", "\n".join(blocks("sh")), re.MULTILINE))
    assert targets and all(f"\n{target}:" in MAKEFILE for target in targets)


def test_every_link_leads_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links and all((ROOT / link).exists() for link in links)


def test_the_version_is_the_changelogs():
    from prompt_ensemble import __version__

    newest = re.search(
        r"^## \[(\S+)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.M
    )
    assert newest and newest[1] == __version__
    assert f"version: {__version__}" in (ROOT / "CITATION.cff").read_text()

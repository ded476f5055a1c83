"""The ``interrogate`` command on a tiny tower."""

import json

from click.testing import CliRunner
from tiny_captioners import save_git
from tiny_clip import pictures, save_tiny

from prompt_ensemble.cli.caption import command as caption
from prompt_ensemble.cli.interrogate import command


def run(tmp_path, *extra):
    save_tiny(tmp_path / "tiny")
    (tmp_path / "flavors.txt").write_text("red\ngreen\nblue")
    for name, image in pictures(2).items():
        image.save(tmp_path / f"{name}.png")
    (tmp_path / "captions.jsonl").write_text(
        "".join(json.dumps({"image_id": n, "caption": f"a {n}"}) + "\n" for n in pictures(2))
    )
    lists = f"lists={{flavors='{tmp_path / 'flavors.txt'}'}}"
    counts = "counts={artists=0, mediums=0, movements=0, trendings=0}"
    images = [str(tmp_path / f"{name}.png") for name in pictures(2)]
    arguments = ["--model", str(tmp_path / "tiny"), "--set", lists, "--set", counts, "--quiet"]
    return CliRunner().invoke(command, [*images, *arguments, *extra], catch_exceptions=False)


def test_a_line_per_image_of_its_caption_and_phrases(tmp_path):
    result = run(tmp_path, "--captions", str(tmp_path / "captions.jsonl"), "--set", "flavors=2")
    lines = [line.split("\t") for line in result.output.splitlines()]
    assert [name for name, _ in lines] == ["picture0", "picture1"]
    for name, prompt in lines:
        caption, *phrases = prompt.split(", ")
        assert caption == f"a {name}"
        assert len(phrases) == 2 and set(phrases) < {"red", "green", "blue"}


def test_json_names_every_phrase(tmp_path):
    first = json.loads(run(tmp_path, "--json").output.splitlines()[0])
    assert {phrase["text"] for phrase in first["phrases"]} == {"red", "green", "blue"}
    assert first["prompt"] == ", ".join(phrase["text"] for phrase in first["phrases"])


def test_the_caption_alone_is_a_mode(tmp_path):
    result = run(tmp_path, "--captions", str(tmp_path / "captions.jsonl"), "--mode", "caption")
    assert result.output == "picture0\ta picture0\npicture1\ta picture1\n"


def test_a_captioner_of_ours_says_the_captions(tmp_path):
    captioner = str(save_git(tmp_path / "git"))
    arguments = ["--captioner", captioner, "--mode", "caption", "--json"]
    rows = [json.loads(line) for line in run(tmp_path, *arguments).output.splitlines()]
    (tmp_path / "only").mkdir()
    for name, image in pictures(2).items():
        image.save(tmp_path / "only" / f"{name}.png")
    captioned = CliRunner().invoke(caption, [str(tmp_path / "only"), "--model", captioner])
    assert [f"{row['image_id']}\t{row['prompt']}" for row in rows] == captioned.stdout.splitlines()


def test_captions_alone_need_captions(tmp_path):
    result = run(tmp_path, "--mode", "caption")
    assert result.exit_code == 2
    assert "--captioner" in result.stderr
    assert "--captions" in result.stderr

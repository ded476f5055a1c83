"""``prompt-ensemble caption``: lines in order, rows in a file, and a stopped run that goes on."""

import json

import pytest

from prompt_ensemble.cli.main import main
from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner

OPTIONS = ["--device", "cpu", "--batch-size", "4", "--set", "max_length=8"]


def run(photos, captioners, *more):
    arguments = ["caption", photos, "--model", "git", "--weights", captioners, *OPTIONS, *more]
    return main([str(argument) for argument in arguments])


def test_every_image_has_a_line_and_a_row(photos, captioners, tmp_path, capsys):
    out = tmp_path / "captions.jsonl"
    assert run(photos, captioners, "--out", out, "--set", "suffix=', art'") == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [image_id for image_id, _ in lines] == [f"photo{number:02}" for number in range(12)]
    assert all(caption.endswith(", art") for _, caption in lines)
    rows = [json.loads(row) for row in out.read_text().splitlines()]
    assert [[row["image_id"], row["caption"]] for row in rows] == lines


def test_a_stopped_run_goes_on_where_it_was(photos, captioners, tmp_path, capsys, monkeypatch):
    whole, out = tmp_path / "whole.jsonl", tmp_path / "captions.jsonl"
    assert run(photos, captioners, "--out", whole) == 0
    batches = []
    caption = SearchingCaptioner.caption

    def stop_at_the_third_batch(self, pixels):
        batches.append(len(pixels))
        if len(batches) == 3:
            raise KeyboardInterrupt
        return caption(self, pixels)

    monkeypatch.setattr(SearchingCaptioner, "caption", stop_at_the_third_batch)
    assert run(photos, captioners, "--out", out) == 130
    assert not out.exists()
    assert run(photos, captioners, "--out", out) == 0
    assert batches == [4] * 4  # two, the one that was stopped, and that one again
    assert out.read_bytes() == whole.read_bytes()


def test_another_wording_does_not_load_the_model(photos, captioners, tmp_path, monkeypatch):
    out = tmp_path / "captions.jsonl"
    assert run(photos, captioners, "--out", out) == 0
    monkeypatch.delattr(SearchingCaptioner, "caption")
    assert run(photos, captioners, "--out", out, "--set", "suffix=!") == 0
    assert all(json.loads(row)["caption"].endswith("!") for row in out.read_text().splitlines())


def test_several_captions_are_several_lines(photos, captioners, capsys):
    several = ["--set", "num_beams=3", "--set", "num_return_sequences=2"]
    assert run(photos, captioners, *several) == 0
    assert len(capsys.readouterr().out.splitlines()) == 24


def test_unreadable_images_are_reported_after_the_others(photos, captioners, tmp_path, capsys):
    (photos / "photo03.png").write_bytes(b"no picture")
    out = tmp_path / "captions.jsonl"
    assert run(photos, captioners, "--out", out) == 1
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == len(out.read_text().splitlines()) == 11
    assert "1 of 12 images cannot be read" in printed.err
    assert "photo03" in printed.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "num_beems=3"], "did you mean 'num_beams'"),
        (["--set", "num_beams=0"], "at least one beam"),
        (["--model", "nobody"], "'nobody'"),
    ],
)
def test_errors_are_one_line(photos, captioners, capsys, arguments, message):
    assert run(photos, captioners, *arguments) == 1
    printed = capsys.readouterr().err
    assert message in printed
    assert len(printed.splitlines()) == 1

"""Captions of left-out images, on the disk and back."""

from __future__ import annotations

from pathlib import Path

from scripts.embedded.captions import read_captions, write_captions


def test_captions_come_back_in_their_order(tmp_path: Path) -> None:
    captions = {"row000002": ["a cat, asleep", 'a "cat"'], "row000001": ["a dog"]}
    write_captions(captions, tmp_path)
    assert read_captions(tmp_path) == captions


def test_without_a_captioner_there_are_none(tmp_path: Path) -> None:
    assert read_captions(tmp_path) == {}

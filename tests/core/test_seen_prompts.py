"""Which prompts a model was trained on: all of them are known again, and hardly any other."""

import numpy as np
import pytest

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.core.seen_prompts import SeenPrompts

SEEN = [f"a cat number {number}, oil on canvas" for number in range(5000)]
OTHERS = [f"a dog number {number}, oil on canvas" for number in range(50_000)]


def test_every_prompt_it_was_made_of_is_known_again():
    assert SeenPrompts.of(SEEN).contains(SEEN).all()


def test_hardly_any_other_prompt_is_taken_for_one():
    assert SeenPrompts.of(SEEN).contains(OTHERS).mean() < 1e-3


def test_it_takes_two_bytes_a_prompt(tmp_path):
    SeenPrompts.of(SEEN).save(tmp_path / "f")
    assert (tmp_path / "f").stat().st_size < 2 * len(SEEN) + 500


def test_case_and_white_space_make_no_other_prompt():
    assert SeenPrompts.of(["A  Cat,\non a roof "]).contains(["a cat, on a roof"]).tolist() == [True]


def test_an_image_without_a_prompt_is_no_leak():
    assert SeenPrompts.of(["a cat"]).contains(["", "  "]).tolist() == [False, False]


def test_order_and_repeats_change_no_byte(tmp_path):
    SeenPrompts.of(SEEN).save(tmp_path / "a")
    SeenPrompts.of([*SEEN[::-1], *SEEN[:9]]).save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_is_written_is_what_is_read(tmp_path):
    seen = SeenPrompts.of(SEEN)
    seen.save(tmp_path / "f")
    again = SeenPrompts.load(tmp_path / "f")
    assert np.array_equal(again.bits, seen.bits)
    assert again.prompts == 5000


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"\x00" * 16])
def test_a_damaged_file_is_one_line(tmp_path, content):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(BadWeights, match="does not say what a model was trained on"):
        SeenPrompts.load(tmp_path / "f")

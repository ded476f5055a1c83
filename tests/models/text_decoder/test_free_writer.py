"""A language model writes of itself, goes on from starts, and keeps to a list of words."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_language_model import save_expander, save_prompt_writer

from prompt_ensemble.core.errors import BadConfig, BadWeights
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.models.text_decoder.free_writer import FreeWriter, open_free_writer
from prompt_ensemble.models.text_generation.generation import Generation

SAMPLED = Generation(do_sample=True, max_new_tokens=8, seed=1)


def opened(folder: Path) -> FreeWriter:
    return open_free_writer(folder, choose_placement("cpu"))


def test_texts_from_nothing_differ_and_are_repeated_by_their_seed(tmp_path: Path) -> None:
    writer = opened(save_prompt_writer(tmp_path))
    one, again = (writer.write([""] * 8, SAMPLED, 4) for _ in range(2))
    assert one == again
    assert len(set(one)) > 4


def test_a_text_does_not_depend_on_what_is_written_beside_it(tmp_path: Path) -> None:
    writer = opened(save_prompt_writer(tmp_path))
    starts = ["a b", "c", "a b c", ""]
    together = writer.write(starts, SAMPLED, 4)
    alone = [writer.write([start], SAMPLED, 1)[0] for start in starts]
    assert together == alone


def test_a_start_is_gone_on_from(tmp_path: Path) -> None:
    (text,) = opened(save_prompt_writer(tmp_path)).write(["a b c"], SAMPLED, 1)
    assert text.startswith("a b c")
    assert len(text) > len("a b c")


def test_listed_words_alone_are_said_each_once(tmp_path: Path) -> None:
    folder = save_expander(tmp_path, "a\nB\n")
    texts = opened(folder).write(["c"] * 6, SAMPLED, 6)
    said = [text.removeprefix("c").replace(",", " ").split() for text in texts]
    assert {word for words in said for word in words} == {"a", "b"}
    assert all(len(words) == len(set(words)) for words in said)


def test_a_list_of_unknown_words_is_one_line(tmp_path: Path) -> None:
    folder = save_prompt_writer(tmp_path)
    (folder / "positive.txt").write_text("elephant\n")
    with pytest.raises(BadWeights, match="lists no word"):
        opened(folder)


def test_more_new_tokens_than_there_is_room_for_is_one_line(tmp_path: Path) -> None:
    generation = Generation(do_sample=True, max_new_tokens=24)
    with pytest.raises(BadConfig, match="positions for 24 tokens"):
        opened(save_prompt_writer(tmp_path)).write([""], generation, 1)

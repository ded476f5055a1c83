"""Phrase lists, good and bad."""

import pytest

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.data.phrase_lists import load_phrases


def written(tmp_path, content: bytes) -> str:
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    return str(path)


def test_the_packages_lists_are_all_there():
    sizes = {name: len(load_phrases(name).phrases) for name in ("mediums", "movements")}
    assert sizes == {"mediums": 95, "movements": 200}


def test_order_stays_and_repetitions_and_empty_lines_go(tmp_path):
    phrases = load_phrases(written(tmp_path, b"oil\n\n ink \noil\r\nchalk\n"))
    assert phrases.phrases == ("oil", "ink", "chalk")


def test_a_byte_order_mark_is_no_part_of_a_phrase(tmp_path):
    assert load_phrases(written(tmp_path, "\ufeffoil".encode())).phrases == ("oil",)


def test_the_digest_follows_order_and_content(tmp_path):
    digests = {load_phrases(written(tmp_path, c)).digest for c in (b"a\nb", b"b\na", b"a\nb\nc")}
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no phrase"),
        (b"caf\xe9", "not UTF-8 at byte 3"),
        (b"x" * 2000, "a line of 2000 characters"),
    ],
)
def test_a_file_that_is_no_list_is_one_clear_error(tmp_path, content, message):
    with pytest.raises(BadConfig, match=message):
        load_phrases(written(tmp_path, content))


def test_an_unknown_list_names_those_there_are():
    with pytest.raises(BadConfig, match="mediums"):
        load_phrases("medium")

"""Records: whatever a file holds, a reader returns what it should or says one line."""

import math
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from readers import READERS

from prompt_ensemble.cli.main import main
from prompt_ensemble.core.errors import BadConfig, PromptEnsembleError
from prompt_ensemble.core.records import parse_json, read_object, read_objects, read_table

DEEP = b"[" * 100_000
QUICK, SLOW = 2000, 50_000
"""Damaged files of all readers together."""


@st.composite
def mutations(draw: st.DrawFn, content: bytes) -> bytes:
    """A valid file with bytes changed, cut out, doubled or put in."""
    mutated = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(mutated)))
        until = min(len(mutated), at + draw(st.integers(0, 40)))
        new = draw(
            st.sampled_from([b"", b"null", b"[]", b"{}", b"-1", b"9" * 30, b"\xff", b"\0", b'"'])
            | st.binary(max_size=8)
        )
        mutated[at:until] = draw(st.sampled_from([new, bytes(mutated[at:until]) * 2]))
    return bytes(mutated)


def survives(kind: str, content: bytes) -> None:
    name, _, read = READERS[kind]
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        try:
            read(path)
        except PromptEnsembleError as error:
            assert "\n" not in str(error)


def check_many(kind: str, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(mutations(READERS[kind][1]))
    def run(content: bytes) -> None:
        survives(kind, content)

    run()


@pytest.mark.parametrize("kind", READERS)
def test_the_files_that_are_damaged_below_are_right_before(kind, tmp_path):
    name, content, read = READERS[kind]
    (tmp_path / name).write_bytes(content)
    read(tmp_path / name)


@pytest.mark.parametrize("kind", READERS)
def test_only_errors_of_ours_come_out_of_damaged_files(kind):
    check_many(kind, math.ceil(QUICK / len(READERS)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", READERS)
def test_only_errors_of_ours_come_out_of_very_many_damaged_files(kind):
    check_many(kind, math.ceil(SLOW / len(READERS)))


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize(
    "content", [b"", DEEP, b"\xff\xfe", b"[1, 2]", b'{"members": [1]}', b"x" * 200_000],
    ids=["empty", "deep", "not utf-8", "list", "members", "long"],
)  # fmt: skip
def test_what_is_no_record_at_all_is_one_line(kind, content):
    survives(kind, content)


def test_a_folder_given_as_a_file_is_one_line(tmp_path):
    with pytest.raises(BadConfig, match="directory"):
        read_object(tmp_path, "a record")


@pytest.mark.parametrize("text", ['"\\ud800"', "[" * 300 + "]" * 300, "[" * 100_000, "9" * 5000])
def test_json_that_could_not_be_written_again_is_refused(text):
    with pytest.raises(ValueError):
        parse_json(text)


def test_a_letter_of_two_halves_is_whole():
    assert parse_json(r'"\ud83d\ude00"') == "\N{GRINNING FACE}"


def test_the_line_that_is_wrong_is_named(tmp_path):
    (tmp_path / "l.jsonl").write_text('{"a": 1}\n\n[2]\n')
    with pytest.raises(BadConfig, match=r"l\.jsonl, line 3 cannot be read as a row"):
        list(read_objects(tmp_path / "l.jsonl", "a row"))


def test_a_file_larger_than_any_record_is_not_read(tmp_path):
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(BadConfig, match="more than 256 MiB"):
        read_object(tmp_path / "huge.json", "a record")


def test_a_row_that_is_too_short_is_named(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3\n")
    with pytest.raises(BadConfig, match="row 3"):
        read_table(tmp_path / "t.csv", "a table", "a")


@pytest.mark.parametrize(
    "toml",
    [
        "members = 3",
        "members = [1, 2]",
        f"[[members]]\nname = '{'a' * 5000}'\nmodel = 'regressor'",
        f"[[members]]\nname = 'a'\nmodel = 'regressor'\nweight = {'9' * 400}",
        f"[[members]]\nname = 'a'\nmodel = 'regressor'\nweights = '{'w' * 5000}'",
        f"[[members]]\nname = 'a'\nmodel = 'regressor'\nweights = '/{'w' * 5000}'",
        f"x = {'[' * 5000}",
    ],
    ids=["number", "numbers", "long name", "big weight", "long weights", "long path", "deep"],
)
def test_a_hostile_configuration_is_one_line_on_the_command_line(tmp_path, photos, capsys, toml):
    (tmp_path / "c.toml").write_text(toml)
    arguments = ["predict", str(photos), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--config", str(tmp_path / "c.toml"), "--quiet"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")


@pytest.mark.parametrize(
    "command",
    [
        ["score", "FOLDER", "--truth", "FOLDER"],
        ["embed", "--from", "FOLDER", "--out", "x"],
        ["dedupe", "FOLDER", "--out", "x"],
        ["bank", "build", "NEW", "FOLDER"],
        ["tune", "FOLDER", "--truth", "FOLDER", "--out", "x"],
        ["check", "FOLDER"],
    ],
    ids=lambda command: command[0],
)
def test_a_folder_where_a_file_belongs_is_one_line_on_the_command_line(tmp_path, capsys, command):
    words = {"FOLDER": str(tmp_path), "NEW": str(tmp_path / "new"), "x": str(tmp_path / "x")}
    assert main([words.get(word, word) for word in command]) in (1, 2)
    assert "fault of prompt-ensemble" not in capsys.readouterr().err

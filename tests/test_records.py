"""Records: whatever a file holds, a reader returns what it should or says one line."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_blend import a_blend

from prompt_ensemble.cli import main
from prompt_ensemble.config import load_config
from prompt_ensemble.dataset.prompt_files import read_prompts
from prompt_ensemble.dataset.splits import Split
from prompt_ensemble.embeddings import EMBEDDING_WIDTH, Embeddings
from prompt_ensemble.errors import BadConfig, PromptEnsembleError
from prompt_ensemble.records import read_object, read_table
from prompt_ensemble.retrieval.prompt_sources import stream_prompts
from prompt_ensemble.truth import load_prompts
from prompt_ensemble.tuning.predictions import read_confidence, read_record
from prompt_ensemble.tuning.tuned_blend import TunedBlend

CONFIG = b"""prior = "embedded-prior"\n[[members]]\nname = "clip"\nmodel = "regressor"\nweight = 1.0
[members.options]\nviews = ["plain"]\n"""
RECORD = json.dumps({"members": {"one": {"weight": 0.5, "seconds": 1.5}}, "images": 3}).encode()
DEEP = b"[" * 100_000


class Saves(Protocol):
    """Something that writes itself into a file."""

    def save(self, path: Path) -> None: ...


def saved(what: Saves) -> bytes:
    """The bytes of the file."""
    with TemporaryDirectory() as folder:
        what.save(Path(folder, "file"))
        return Path(folder, "file").read_bytes()


EMBEDDINGS = saved(Embeddings.of(["a", "b"], np.eye(2, EMBEDDING_WIDTH)))
SPLIT = saved(Split(("a", "b", "c"), np.arange(3), np.array([0, 1, 0])))
BLEND = saved(a_blend({"one": 0.7, "two": 0.3}))


def saved_parquet() -> bytes:
    import io

    import pyarrow
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"prompt": ["a cat", "a dog"]}), buffer)
    return buffer.getvalue()


READERS: dict[str, tuple[str, bytes, Callable[[Path], object]]] = {
    "config": ("c.toml", CONFIG, load_config),
    "record": ("run.json", RECORD, lambda path: read_record(path.parent)),
    "split": ("split.json", SPLIT, Split.load),
    "blend": ("blend.json", BLEND, TunedBlend.load),
    "prompts": ("p.csv", b"imgId,prompt\na,a cat\nb,a dog\n", load_prompts),
    "confidence": ("c.csv", b"image_id,one\na,0.5\n", lambda path: read_confidence(path, ["a"])),
    "lines": ("l.jsonl", b'{"prompt": "a cat"}\n', lambda path: read_prompts([path])),
    "text": ("t.txt", b"a cat\na dog\n", lambda path: read_prompts([path])),
    "parquet": ("p.parquet", saved_parquet(), lambda path: list(stream_prompts([path]))),
    "embeddings": ("e.safetensors", EMBEDDINGS, Embeddings.load),
}


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
    check_many(kind, 200)


@pytest.mark.slow
@pytest.mark.parametrize("kind", READERS)
def test_only_errors_of_ours_come_out_of_very_many_damaged_files(kind):
    check_many(kind, 5000)


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

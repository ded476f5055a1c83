"""submission.csv, written, read and checked."""

import csv

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings
from prompt_ensemble.core.errors import BadSubmission
from prompt_ensemble.core.submission import (
    check_submission,
    read_rows,
    read_submission,
    submission_frame,
    submission_ids,
    write_submission,
)

IDS = ("20057f34d", "227ef0887", "92e911621")


@pytest.fixture
def written(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(3, EMBEDDING_WIDTH))
    embeddings = Embeddings.of(IDS, vectors)
    write_submission(tmp_path / "submission.csv", embeddings)
    return tmp_path / "submission.csv", embeddings


def lines_of(path):
    return path.read_text().splitlines()


def rewrite(path, lines):
    path.write_text("\n".join(lines) + "\n")


def test_the_file_looks_like_kaggles_own(written):
    lines = lines_of(written[0])
    assert lines[0] == "imgId_eId,val"
    assert len(lines) == 1 + 3 * EMBEDDING_WIDTH
    assert lines[1].startswith("20057f34d_0,")
    assert lines[-1].startswith("92e911621_383,")


@settings(max_examples=20)
@given(hnp.arrays(np.float32, (1, EMBEDDING_WIDTH), elements=st.floats(-1, 1, width=32)))
def test_every_float32_survives_the_file_exactly(vectors):
    import tempfile
    from pathlib import Path

    embeddings = Embeddings(("a",), vectors)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.csv"
        write_submission(path, embeddings)
        _, values = read_rows(path)
        with path.open() as file:
            by_hand = [np.float32(row["val"]) for row in csv.DictReader(file)]
    assert np.array_equal(values, vectors[0])
    assert np.array_equal(by_hand, vectors[0])


def test_rows_follow_the_sample(tmp_path, written):
    path, embeddings = written
    turned = ("92e911621", "20057f34d", "227ef0887")
    write_submission(tmp_path / "turned.csv", embeddings, turned)
    assert submission_ids(tmp_path / "turned.csv") == turned
    assert np.array_equal(
        read_submission(tmp_path / "turned.csv").take(IDS).vectors, read_submission(path).vectors
    )


def test_ids_with_commas_and_quotes_read_back(tmp_path):
    ids = ('a,"b"', "c")
    vectors = np.ones((2, EMBEDDING_WIDTH))
    write_submission(tmp_path / "s.csv", Embeddings.of(ids, vectors), ids)
    assert submission_ids(tmp_path / "s.csv") == ids


def test_a_path_may_be_a_text(tmp_path):
    write_submission(str(tmp_path / "s.csv"), Embeddings.of(["a"], np.ones((1, EMBEDDING_WIDTH))))
    assert submission_ids(tmp_path / "s.csv") == ("a",)


def test_more_images_than_a_block_are_all_written(tmp_path):
    ids = tuple(f"{n:05}" for n in range(1100))
    vectors = np.random.default_rng(0).normal(size=(1100, EMBEDDING_WIDTH))
    embeddings = Embeddings.of(ids, vectors)
    write_submission(tmp_path / "s.csv", embeddings)
    assert check_submission(tmp_path / "s.csv", ids) == []
    assert np.array_equal(read_rows(tmp_path / "s.csv")[1], embeddings.vectors.reshape(-1))


def test_a_right_file_has_no_faults(written):
    assert check_submission(written[0], IDS) == []


def spoil(lines, kind):
    block = EMBEDDING_WIDTH
    if kind == "missing images":
        return lines[:-block]
    if kind == "missing rows":
        return lines[:5] + lines[6:]
    if kind == "rows of no image or place":
        return [*lines, "stranger_0,0.5"]
    if kind == "duplicate rows":
        return [*lines, lines[7]]
    if kind == "rows out of order":
        return [lines[0], lines[2], lines[1], *lines[3:]]
    if kind == "NaN or infinite values":
        return [*lines[:3], lines[3].split(",")[0] + ",nan", *lines[4:]]
    names = [line.split(",")[0] for line in lines[1 : block + 1]]
    return [lines[0], *(f"{name},0.0" for name in names), *lines[block + 1 :]]


@pytest.mark.parametrize(
    ("kind", "first"),
    [
        ("missing images", "92e911621"),
        ("missing rows", "20057f34d_4"),
        ("rows of no image or place", "stranger_0"),
        ("duplicate rows", "20057f34d_6"),
        ("rows out of order", "20057f34d_1"),
        ("NaN or infinite values", "20057f34d_2"),
        ("images whose values are all 0", "20057f34d"),
    ],
)
def test_each_fault_is_found_and_its_first_offender_named(written, kind, first):
    path, _ = written
    rewrite(path, spoil(lines_of(path), kind))
    found = {fault.kind: fault for fault in check_submission(path, IDS)}
    assert found[kind].first[0].startswith(first)


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n", "imgId_eId,val\nx_0,much\n", ""], ids=["header", "words", "empty"]
)
def test_a_file_of_another_kind_is_one_clear_error(tmp_path, text):
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(BadSubmission, match=r"s\.csv"):
        check_submission(tmp_path / "s.csv", IDS)


def test_a_missing_file_is_one_clear_error(tmp_path):
    with pytest.raises(BadSubmission, match="not there"):
        check_submission(tmp_path / "s.csv", IDS)


def test_an_interrupted_write_leaves_the_old_file(written, monkeypatch):
    path, embeddings = written
    before = path.read_bytes()
    monkeypatch.setattr("prompt_ensemble.core.submission.row_names", lambda ids: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_submission(path, embeddings)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_table_of_pandas_is_written_as_the_embeddings_are(tmp_path, written):
    path, embeddings = written
    write_submission(tmp_path / "s.csv", embeddings.take(IDS[::-1]).to_frame())
    assert (tmp_path / "s.csv").read_bytes() == path.read_bytes()


def test_the_rows_as_a_table_are_those_that_pandas_reads_from_the_file(written):
    path, embeddings = written
    frame = submission_frame(embeddings)
    read = pd.read_csv(path, dtype={"val": np.float32})
    pd.testing.assert_frame_equal(frame, read, check_dtype=False, check_exact=True)


@pytest.mark.parametrize("width", [np.float32, np.float64])
def test_a_submission_may_be_a_table_of_pandas(written, width):
    path, _ = written
    frame = pd.read_csv(path, dtype={"val": width})
    assert submission_ids(frame) == IDS
    assert np.array_equal(read_submission(frame).vectors, read_submission(path).vectors)
    assert check_submission(frame, IDS) == []


def test_what_is_wrong_with_a_table_is_named(written):
    frame = submission_frame(written[1])
    frame.loc[3, "val"] = np.nan
    (fault,) = check_submission(frame, IDS)
    assert str(fault) == "1 NaN or infinite values: 20057f34d_3"
    assert check_submission(frame[:-EMBEDDING_WIDTH], IDS)[1].kind == "missing images"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"val": "much"}, "the table cannot be read as a table of 'imgId_eId,val' rows"),
        ({"val": [0.5, "much"] * (3 * EMBEDDING_WIDTH // 2)}, "the table cannot be read"),
        ({"more": 1}, "the table has the columns"),
        ({"imgId_eId": "x_0"}, "the table is not made of blocks"),
    ],
)
def test_a_table_of_another_kind_is_one_clear_error(written, change, message):
    frame = submission_frame(written[1]).assign(**change)
    with pytest.raises(BadSubmission, match=message) as caught:
        read_submission(frame)
    assert "\n" not in str(caught.value)

"""Gathering from beginning to end, on small real files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from broken_images import write_broken_images
from generated_images import FAMILIES, PROMPT, SETTINGS, comfyui_graph, parameters, png, with_exif

from prompt_ensemble.cli.main import main
from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.data.gathering import row as reasons
from prompt_ensemble.data.gathering.gather import gather
from prompt_ensemble.data.gathering.options import GatherOptions
from prompt_ensemble.data.gathering.row import Row
from prompt_ensemble.data.pairs import read_pairs
from prompt_ensemble.images.decode import load_image

ROOT = Path(__file__).parents[3]


def write_images(folder: Path, count: int, first: int = 0) -> Path:
    """Images with prompts of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        content = png({"parameters": parameters(f"fox number {number}")}, seed=number)
        (folder / f"{number:03}.png").write_bytes(content)
    return folder


def pack(folder: Path, archive: Path) -> Path:
    """The files of a folder in an archive of the kind that its name says."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as packed:
            for file in files:
                packed.write(file, file.relative_to(folder))
    else:
        with tarfile.open(archive, "w:gz" if archive.suffix == ".gz" else "w") as packed:
            for file in files:
                packed.add(file, file.relative_to(folder))
    return archive


def prompts_of(out: Path) -> list[str]:
    return read_pairs(out / "pairs.jsonl", ()).prompts


def rows_of(out: Path) -> list[dict]:
    return pyarrow.parquet.read_table(out / "table.parquet").to_pylist()


def digests(out: Path) -> dict[str, str]:
    """Every file of a set but the hidden note of what it was made from."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_archives_hold_what_folders_hold(name, tmp_path):
    folder = write_images(tmp_path / "images", 3)
    gather([str(folder)], tmp_path / "one")
    gather([str(pack(folder, tmp_path / name))], tmp_path / "two")
    assert prompts_of(tmp_path / "one") == prompts_of(tmp_path / "two")
    assert prompts_of(tmp_path / "one") == [f"fox number {number}" for number in range(3)]


def test_both_formats_hold_the_same_pairs(tmp_path):
    folder = write_images(tmp_path / "images", 5)
    files, tars = tmp_path / "files", tmp_path / "tars"
    gather([str(folder)], files, GatherOptions(rows_per_shard=2))
    gather([str(folder)], tars, GatherOptions(rows_per_shard=2, layout="webdataset"))
    one, other = (read_pairs(out / "pairs.jsonl", ()) for out in (files, tars))
    assert [pair.prompt for pair in one.rows] == [pair.prompt for pair in other.rows]
    assert other.rows[-1].image == tars / "shards/00002.tar/000000004.jpg"
    for mine, theirs in zip(one.rows, other.rows, strict=True):
        assert np.array_equal(load_image(mine.image), load_image(theirs.image))


def test_webdataset_members_of_a_key_stand_together(tmp_path):
    gather([str(write_images(tmp_path / "i", 2))], tmp_path / "o", GatherOptions("webdataset"))
    with tarfile.open(tmp_path / "o/shards/00000.tar") as shard:
        names = shard.getnames()
        record = json.load(shard.extractfile("000000001.json"))
    assert names == [f"00000000{n}.{s}" for n in (0, 1) for s in ("jpg", "json", "txt")]
    assert record["prompt"] == "fox number 1" and record["tool"] == "AUTOMATIC1111"


def test_the_same_input_gives_the_same_bytes(tmp_path):
    folder = write_images(tmp_path / "images", 4)
    copy = Path(shutil.copytree(folder, tmp_path / "other" / "images", copy_function=shutil.copy))
    options = GatherOptions("webdataset", rows_per_shard=3)
    gather([str(folder)], tmp_path / "one", options, workers=3)
    gather([str(copy)], tmp_path / "two", options)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(tmp_path, monkeypatch):
    sources = [str(write_images(tmp_path / f"part{n}", 30, 30 * n)) for n in range(6)]
    options = ["--format", "webdataset", "--rows-per-shard", "50", "--workers", "1", "--quiet"]
    assert main(["gather", *sources, "--out", str(tmp_path / "whole"), *options]) == 0
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "prompt_ensemble", "gather", *sources, "--out", str(out)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([*command, *options], env=environment)
    while len(list((out / ".gathering").glob("*-*.parquet"))) < 2:
        assert process.poll() is None, "ended before it could be killed"
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "manifest.json").exists()
    assert main(["gather", *sources, "--out", str(out), *options]) == 0
    assert digests(out) == digests(tmp_path / "whole")
    assert not (out / ".gathering").exists()
    assert {path.name for path in out.rglob(".*")} == {".request"}


@pytest.mark.parametrize("layout", ["files", "webdataset"])
def test_a_run_stopped_while_it_writes_goes_on(layout, tmp_path, monkeypatch):
    folder = write_images(tmp_path / "images", 7)
    options = GatherOptions(layout, rows_per_shard=2)
    gather([str(folder)], tmp_path / "whole", options)
    out = tmp_path / "stopped"
    stopped = RuntimeError("stopped")

    def stop(title, *rest):
        raise stopped

    with monkeypatch.context() as patch:
        patch.setattr("prompt_ensemble.data.gathering.gather.page", stop)
        with pytest.raises(RuntimeError):
            gather([str(folder)], out, options)
    gather([str(folder)], out, options)
    assert digests(out) == digests(tmp_path / "whole")


def test_another_request_is_not_mixed_in(tmp_path):
    folder = write_images(tmp_path / "images", 2)
    gather([str(folder)], tmp_path / "out")
    assert gather([str(folder)], tmp_path / "out").kept == 2
    with pytest.raises(BadConfig, match="other sources or options"):
        gather([str(folder)], tmp_path / "out", GatherOptions(longest_side=64))
    write_images(folder, 1, 9)
    with pytest.raises(BadConfig, match="a source has changed"):
        gather([str(folder)], tmp_path / "out")


def test_a_broken_file_costs_itself_only(tmp_path):
    folder = write_images(tmp_path / "images", 3)
    broken = write_broken_images(folder)
    gather([str(folder)], tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    assert len(prompts_of(tmp_path / "out")) == 3
    unreadable = [row for row in rows if row["left_out"] == reasons.UNREADABLE]
    assert len(unreadable) == len(broken) and all(row["detail"] for row in unreadable)


def test_three_hundred_mutated_files_cost_no_traceback_and_no_other(tmp_path):
    folder = write_images(tmp_path / "images", 3)
    random = np.random.default_rng(5)
    originals = [write() for _, write in FAMILIES.values()]
    for number in range(300):
        content = bytearray(originals[number % len(originals)])
        for place in random.integers(0, len(content), int(random.integers(1, 40))).tolist():
            content[place] = int(random.integers(0, 256))
        if number % 5 == 0:
            del content[int(random.integers(1, len(content))) :]
        (folder / f"fuzzed{number:03}.png").write_bytes(content)
    gather([str(folder)], tmp_path / "out", workers=2)
    assert prompts_of(tmp_path / "out")[:3] == [f"fox number {number}" for number in range(3)]
    assert len(rows_of(tmp_path / "out")) == 303


def test_damaged_archives_are_one_line_or_cost_some_members(tmp_path):
    folder = write_images(tmp_path / "images", 4)
    random = np.random.default_rng(0)
    for number, name in enumerate(["a.zip", "a.tar", "a.tar.gz"] * 6):
        content = bytearray(pack(folder, tmp_path / name).read_bytes())
        for place in random.integers(0, len(content), 30).tolist():
            content[place] = int(random.integers(0, 256))
        (tmp_path / name).write_bytes(content[: len(content) - 700 * (number % 2)])
        try:
            gather([str(tmp_path / name)], tmp_path / f"out{number}")
        except BadConfig as error:
            assert name in str(error)


def test_a_damaged_archive_in_a_folder_costs_itself_only(tmp_path):
    folder = write_images(tmp_path / "images", 2)
    (folder / "b.zip").write_bytes(b"PK no archive")
    (folder / "c.tar.gz").write_bytes(b"no archive")
    (folder / "d.parquet").write_bytes(b"no table")
    (folder / "e.json").write_text("{broken")
    found = gather([str(folder)], tmp_path / "out")
    assert found.kept == 2
    assert len(found.manifest["problems"]) == 4


def test_names_that_lead_out_of_an_archive_lead_nowhere(tmp_path):
    content = png({"parameters": parameters()})
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../../escaped.png", content)
        archive.writestr("/absolute.png", content)
    gather([str(tmp_path / "a.zip")], tmp_path / "out")
    assert len(prompts_of(tmp_path / "out")) == 2
    found = {path.name for path in tmp_path.parent.rglob("*escaped*")}
    assert not found and not Path("/absolute.png").exists()


def test_a_member_that_unpacks_without_end_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr("prompt_ensemble.data.gathering.sources.image_files.MOST_BYTES", 2**20)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(2**22))
        archive.writestr("fox.png", png({"parameters": parameters()}))
    gather([str(tmp_path / "a.zip")], tmp_path / "out")
    assert "more than the 1048576 bytes" in rows_of(tmp_path / "out")[0]["detail"]
    assert prompts_of(tmp_path / "out") == [PROMPT]


def test_a_packed_tar_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("prompt_ensemble.data.gathering.sources.packed_tar._ALWAYS_ALLOWED", 0)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bomb.png").write_bytes(bytes(2**22))
    with pytest.raises(BadConfig, match="a bomb"):
        gather([str(pack(tmp_path / "in", tmp_path / "a.tar.gz"))], tmp_path / "out")


def test_kinds_are_left_out_unless_asked_for(tmp_path):
    folder = write_images(tmp_path / "images", 1)
    settings = f"{SETTINGS}, Denoising strength: 0.5"
    (folder / "over.png").write_bytes(png({"parameters": parameters(settings=settings)}, 7))
    gather([str(folder)], tmp_path / "one")
    gather([str(folder)], tmp_path / "two", GatherOptions(include=("img2img",)))
    assert [row["left_out"] for row in rows_of(tmp_path / "one")] == ["", "img2img"]
    assert len(prompts_of(tmp_path / "two")) == 2


def test_sidecars_index_files_and_names_tell_prompts(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number, name in enumerate(["a", "b", "c", "a cat on a roof-0a1b2c3d4e", "d"]):
        (folder / f"{name}.png").write_bytes(png({}, number))
    (folder / "a.txt").write_text("a caption of a")
    (folder / "b.json").write_text(json.dumps({"prompt": "a prompt of b"}))
    (folder / "metadata.csv").write_text("file_name,text\nc.png,a caption of c\n")
    gather([str(folder)], tmp_path / "one")
    assert prompts_of(tmp_path / "one") == ["a caption of a", "a prompt of b", "a caption of c"]
    gather([str(folder)], tmp_path / "two", GatherOptions(names_are_prompts=True))
    pairs = {pair.prompt: pair.tier for pair in read_pairs(tmp_path / "two/pairs.jsonl", ()).rows}
    assert pairs["a cat on a roof"] == "C" and pairs["a caption of a"] == "B"
    assert pairs["a prompt of b"] == "A"


def test_an_index_that_the_user_names_counts_most(tmp_path):
    folder = write_images(tmp_path / "images", 1)
    (tmp_path / "mine.csv").write_text("image,prompt\n000.png,mine\n")
    (folder / "other.csv").write_text("image,prompt\n000.png,other\n")
    gather([str(folder)], tmp_path / "one")
    gather([str(folder)], tmp_path / "two", indices=[tmp_path / "mine.csv"])
    assert prompts_of(tmp_path / "one") == ["fox number 0"]
    assert prompts_of(tmp_path / "two") == ["mine"]


def test_diffusiondbs_parts_are_read_with_their_tables(tmp_path):
    part = tmp_path / "part"
    part.mkdir()
    for number in range(2):
        (part / f"id{number}.png").write_bytes(png({}, number))
    (part / "part-000001.json").write_text(json.dumps({"id0.png": {"p": "from json", "se": 1}}))
    folder = tmp_path / "set"
    folder.mkdir()
    pack(part, folder / "part-000001.zip")
    table = pyarrow.table({"image_name": ["id1.png"], "prompt": ["from parquet"], "seed": [2]})
    pyarrow.parquet.write_table(table, folder / "metadata.parquet")
    gather([str(folder)], tmp_path / "out")
    assert prompts_of(tmp_path / "out") == ["from json", "from parquet"]


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_images_in_tables_are_read(kind, tmp_path):
    images = [{"bytes": png({}, number), "path": f"{number}.png"} for number in range(40)]
    images[7]["bytes"] = b"broken"
    table = pyarrow.table({"image": images, "text": [f"fox {number}" for number in range(40)]})
    path = tmp_path / f"data-00000.{kind}"
    if kind == "parquet":
        pyarrow.parquet.write_table(table, path, row_group_size=15)
    else:
        with pyarrow.ipc.new_stream(path, table.schema) as stream:
            stream.write_table(table, max_chunksize=15)
    gather([str(tmp_path)], tmp_path / "out")
    assert prompts_of(tmp_path / "out") == [f"fox {number}" for number in range(40) if number != 7]


def test_near_images_and_repeated_prompts_are_counted_and_dropped(tmp_path):
    folder = write_images(tmp_path / "images", 2)
    (folder / "z.jpg").write_bytes(with_exif(b"ASCII\0\0\0" + parameters().encode(), seed=0))
    (folder / "zz.png").write_bytes(png({"parameters": parameters("fox number 1")}, 5))
    found = gather([str(folder)], tmp_path / "one")
    assert found.manifest["statistics"]["near_duplicate_images"] == 1
    assert found.manifest["statistics"]["images_whose_prompt_came_before"] == 1
    assert [row["near_duplicate_of"] for row in rows_of(tmp_path / "one")] == [-1, -1, 0, -1]
    options = GatherOptions(drop_near_images=True, images_per_prompt=1)
    gather([str(folder)], tmp_path / "two", options)
    left_out = [row["left_out"] for row in rows_of(tmp_path / "two")]
    assert left_out == ["", "", reasons.SAME_IMAGE, reasons.SAME_PROMPT]


def test_near_prompts_are_dropped_by_their_embeddings(tmp_path):
    folder = write_images(tmp_path / "images", 4)

    def encode(texts):
        even = [int(text.split()[-1]) % 2 for text in texts]
        return np.eye(2, EMBEDDING_WIDTH, dtype=np.float32)[even]

    gather([str(folder)], tmp_path / "out", GatherOptions(near_prompts=0.9), encode=encode)
    assert prompts_of(tmp_path / "out") == ["fox number 0", "fox number 1"]


def test_files_may_stay_as_they_are(tmp_path):
    folder = write_images(tmp_path / "images", 1)
    gather([str(folder)], tmp_path / "out", GatherOptions(longest_side=0))
    (pair,) = read_pairs(tmp_path / "out/pairs.jsonl", ()).rows
    assert pair.image.read_bytes() == (folder / "000.png").read_bytes()


def test_an_article_is_no_prompt(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "a.png").write_bytes(png({}))
    (folder / "a.txt").write_text("a fox " * 5000)
    gather([str(folder)], tmp_path / "out")
    assert [row["left_out"] for row in rows_of(tmp_path / "out")] == [reasons.TOO_LONG]


def test_small_images_other_languages_and_unsafe_words_may_be_left_out(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    texts = ["a fox in the snow", "ein Fuchs auf dem Dach", "a nude in the snow"]
    for number, text in enumerate(texts):
        (folder / f"{number}.png").write_bytes(png({"parameters": parameters(text)}, number))
    options = GatherOptions(languages=("en",), drop_unsafe=True)
    gather([str(folder)], tmp_path / "one", options)
    assert [row["left_out"] for row in rows_of(tmp_path / "one")] == [
        "", reasons.LANGUAGE, reasons.UNSAFE,
    ]  # fmt: skip
    gather([str(folder)], tmp_path / "two", GatherOptions(smallest_side=97))
    assert {row["left_out"] for row in rows_of(tmp_path / "two")} == {reasons.SMALL}


def test_a_set_reads_its_own_output(tmp_path):
    folder = write_images(tmp_path / "images", 3)
    gather([str(folder)], tmp_path / "one", GatherOptions("webdataset"))
    gather([str(tmp_path / "one/shards/00000.tar")], tmp_path / "two")
    assert prompts_of(tmp_path / "two") == prompts_of(tmp_path / "one")


def test_the_manifest_says_what_it_was_made_of(tmp_path):
    folder = write_images(tmp_path / "images", 2)
    found = gather([str(folder)], tmp_path / "out", GatherOptions(licence="CC0"))
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest == found.manifest
    assert manifest["licence"] == "CC0"
    assert manifest["sources"][0]["images"] == 2 and len(manifest["sources"][0]["digest"]) == 64
    assert set(manifest["files"]) == {"images/00000", "pairs.jsonl", "prompts.csv", "table.parquet"}


def test_a_set_may_be_written_within_its_source(tmp_path):
    write_images(tmp_path, 3)
    assert gather([str(tmp_path)], tmp_path / "out").kept == 3
    assert gather([str(tmp_path)], tmp_path / "out").kept == 3


def test_names_that_are_no_utf_8_are_no_obstacle(tmp_path):
    folder = write_images(tmp_path / "images", 1)
    (folder / "000.png").rename(folder / os.fsdecode(b"\xff.png"))
    (folder / "m.csv").write_text("image,prompt\na.png,other\n")
    assert gather([str(folder)], tmp_path / "out").kept == 1


def test_thousands_of_archives_keep_few_files_open(tmp_path, monkeypatch):
    folder = tmp_path / "set"
    content = write_images(tmp_path / "images", 1) / "000.png"
    folder.mkdir()
    for number in range(60):
        with zipfile.ZipFile(folder / f"{number:02}.zip", "w") as archive:
            archive.write(content, "a.png")
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    assert gather([str(folder)], tmp_path / "out").kept == 60
    assert len(list(descriptors.iterdir())) < before + 30


def test_rows_and_their_columns_are_one(tmp_path):
    rows = [Row("s", "a.png", hash=2**64 - 1), Row("s", "b.png", reasons.NO_PROMPT)]
    file = tmp_path / "size=512" / "r.parquet"
    reasons.write_rows(file, rows)
    assert reasons.read_rows(file) == rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere is not there"),
        (["empty"], "empty holds no images"),
        (["text.xyz"], r"text.xyz is none of"),
        (["empty", "--index", "text.xyz"], "text.xyz is no index"),
        (["images.csv", "--prompt-column", "said"], "none named 'said'"),
        (["hub:someone/something"], "hub:someone/something cannot be fetched"),
    ],
)
def test_what_cannot_be_gathered_is_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # The hub's client reads it once, when it is imported; the command would allow the network.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.xyz").touch()
    (tmp_path / "images.csv").write_text("image,prompt\na.png,a fox\n")
    assert main(["gather", *arguments, "--out", "out", "--quiet"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_the_command_says_what_came_of_it(tmp_path, capsys):
    folder = write_images(tmp_path / "images", 2)
    (folder / "plain.png").write_bytes(png({}, 9))
    (folder / "graph.png").write_bytes(png({"prompt": json.dumps(comfyui_graph())}, 8))
    assert main(["gather", str(folder), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "3 pairs of 4 images" in said and "1 no prompt" in said

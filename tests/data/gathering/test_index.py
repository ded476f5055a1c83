"""Index files of every kind, and how their rows find their images."""

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.data.gathering.prompt_records import Columns, read_prompt_record
from prompt_ensemble.data.gathering.sources.containers import Folder
from prompt_ensemble.data.gathering.sources.index import Index, IndexFile
from prompt_ensemble.data.gathering.sources.index_files import read_index_file

PROMPT = "a fox, in snow"
COCO = {
    "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}],
    "annotations": [{"image_id": 1, "caption": PROMPT}, {"image_id": 1, "caption": "other"}],
}
FILES = {
    "prompts.csv": f'imgId,prompt\na,"{PROMPT}"\n',
    "with-mark.csv": f'\ufefffile_name,text\na.png,"{PROMPT}"\n',
    "t.tsv": f"image\tprompt\na.png\t{PROMPT}\n",
    "metadata.jsonl": json.dumps({"file_name": "a.png", "text": PROMPT}) + "\n\n",
    "journey.jsonl": json.dumps({"img_path": "./a.png", "prompt": PROMPT, "Task2": {}}),
    "part-000001.json": json.dumps({"a.png": {"p": PROMPT, "se": 3, "sa": "k_lms", "c": 7.0}}),
    "plain.json": json.dumps({"a.png": PROMPT}),
    "list.json": json.dumps([{"image": "a.png", "prompt": PROMPT}]),
    "coco.json": json.dumps(COCO),
    "README.md": f"# Gallery\n\n![{PROMPT}](./a.png)\n",
    "table.md": f"| Image | Prompt |\n|---|---|\n| ![x](a.png) | {PROMPT} |\n",
}


def index_of(folder: Path, *names: str) -> Index:
    index = IndexFile(folder / ".work" / "index.sqlite").new()
    for name in names:
        index.add(read_index_file(Folder(folder, folder / ".work"), name), "", Columns())
    return index


@pytest.mark.parametrize("name", FILES)
def test_every_layout_names_its_images(name, tmp_path):
    (tmp_path / name).write_text(FILES[name], encoding="utf-8")
    record, _ = index_of(tmp_path, name).find("a.png")
    assert read_prompt_record(record).prompt == PROMPT


def test_parquet_metadata_is_an_index(tmp_path):
    table = pyarrow.table({"image_name": ["a.png"], "prompt": [PROMPT], "seed": [7]})
    pyarrow.parquet.write_table(table, tmp_path / "metadata.parquet")
    record, _ = index_of(tmp_path, "metadata.parquet").find("in/a.png")
    assert read_prompt_record(record).seed == "7"


def test_what_stands_beside_a_prompt_is_taken_along():
    found = read_prompt_record({"p": PROMPT, "se": 3, "sa": "k_lms", "Negative Prompt": "ugly"})
    assert (found.seed, found.sampler, found.negative) == ("3", "k_lms", "ugly")
    assert read_prompt_record({"caption": PROMPT}).certainty == "likely"
    assert read_prompt_record({"meta": {"prompt": PROMPT}}).prompt == PROMPT
    assert read_prompt_record({"prompt": 5}) is None


def test_the_user_may_name_the_columns():
    columns = Columns(image="pic", prompt="said")
    assert read_prompt_record({"said": PROMPT, "prompt": "no"}, columns).prompt == PROMPT


def test_a_name_that_two_images_have_tells_nothing(tmp_path):
    rows = [{"image": f"{folder}/a.png", "prompt": folder} for folder in "xy"]
    (tmp_path / "l.json").write_text(json.dumps(rows))
    index = index_of(tmp_path, "l.json")
    assert index.find("z/a.png") is None
    assert index.find("x/a.png")[0]["prompt"] == "x"


def test_names_that_lead_outside_are_no_images(tmp_path):
    rows = [{"image": name, "prompt": "x"} for name in ("../a.png", "/etc/a.png", "http://b/a.png")]
    (tmp_path / "l.json").write_text(json.dumps(rows))
    assert index_of(tmp_path, "l.json").count == 0


@pytest.mark.parametrize(
    "content", ["[" * 10_000, '{"a": ', "\x00\xff", '{"images": 3, "annotations": 4}']
)
def test_a_broken_index_is_one_line(content, tmp_path):
    (tmp_path / "x.json").write_text(content, encoding="latin-1")
    with pytest.raises(BadConfig, match=r"x\.json cannot be read as an index"):
        list(read_index_file(Folder(tmp_path, tmp_path / "out"), "x.json"))

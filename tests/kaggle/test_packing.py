"""The dataset that kernels start from."""

import json
import zipfile

import pytest

from prompt_ensemble.core.errors import BadMetadata
from prompt_ensemble.kaggle.metadata import dataset_faults
from prompt_ensemble.kaggle.packing import pack_dataset


@pytest.fixture
def parts(tmp_path):
    wheel = tmp_path / "prompt_ensemble-0-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    model = tmp_path / "OFA-large-caption"
    (model / "deeper").mkdir(parents=True)
    (model / "config.json").write_text("{}")
    (model / "deeper" / "part.bin").write_bytes(b"\1\2")
    return wheel, model


def test_folders_travel_as_archives_of_their_name(parts, tmp_path):
    wheel, model = parts
    out = pack_dataset(wheel, [model], tmp_path / "out", "somebody")
    assert (out / wheel.name).read_bytes() == b"wheel"
    with zipfile.ZipFile(out / "OFA-large-caption.zip") as archive:
        assert archive.namelist() == ["config.json", "deeper/part.bin"]
        assert archive.read("deeper/part.bin") == b"\1\2"
    assert not [path for path in out.iterdir() if path.is_dir()]


def test_the_description_keeps_the_rules(parts, tmp_path):
    out = pack_dataset(parts[0], [], tmp_path / "out", "somebody")
    metadata = json.loads((out / "dataset-metadata.json").read_text())
    assert dataset_faults(metadata) == []
    assert metadata["id"] == "somebody/prompt-ensemble"


def test_the_same_files_make_the_same_archive(parts, tmp_path):
    wheel, model = parts
    packed = [
        (pack_dataset(wheel, [model], tmp_path / name, "me2") / f"{model.name}.zip").read_bytes()
        for name in ("one", "two")
    ]
    assert packed[0] == packed[1]


def test_weights_that_are_not_there_are_named(parts, tmp_path):
    with pytest.raises(BadMetadata, match="nowhere are not there"):
        pack_dataset(parts[0], [tmp_path / "nowhere"], tmp_path / "out", "somebody")


def test_a_folder_of_other_things_is_left_alone(parts, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear")
    with pytest.raises(BadMetadata, match="no packed dataset"):
        pack_dataset(parts[0], [], tmp_path / "mine", "somebody")
    assert (tmp_path / "mine" / "diary.txt").exists()


def test_two_models_of_one_name_are_refused_and_none_is_overwritten(parts, tmp_path):
    folders = [tmp_path / name / "regressor" for name in "ab"]
    for folder in folders:
        folder.mkdir(parents=True)
    with pytest.raises(BadMetadata, match="would both be called 'regressor'"):
        pack_dataset(parts[0], folders, tmp_path / "out", "somebody")
    assert not (tmp_path / "out").exists()

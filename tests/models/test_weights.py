"""Finding and recognising model files."""

import pytest

from prompt_ensemble.core.errors import BadWeights, MissingWeights
from prompt_ensemble.models.weights import (
    Layout,
    WeightRoots,
    load_manifest,
    recognise,
    weights_digest,
)

LAYOUTS = (
    Layout("blip", ("config.json",), ("blip",)),
    Layout("git", ("config.json",), ("git",)),
    Layout("checkpoint", ("*.pth",)),
)


@pytest.mark.parametrize("mount", ["my-models", "datasets/someone/my-models/version"])
def test_a_model_is_found_under_any_mount_layout(tmp_path, mount):
    model = tmp_path / mount / "OFA-tiny"
    model.mkdir(parents=True)
    assert WeightRoots((tmp_path,)).find("OFA-tiny").path == model


def test_the_first_root_wins(tmp_path):
    for root in "ab":
        (tmp_path / root / "model").mkdir(parents=True)
    weights = WeightRoots((tmp_path / "b", tmp_path / "a")).find("model")
    assert weights.path == tmp_path / "b" / "model"


def test_a_package_carries_the_sentence_encoder(tmp_path):
    weights = WeightRoots((tmp_path,)).find("all-MiniLM-L6-v2")
    assert (weights.path / "model.safetensors").is_file()


def test_a_missing_model_says_where_was_searched_and_where_to_get_it(tmp_path):
    with pytest.raises(MissingWeights) as caught:
        WeightRoots((tmp_path,)).find("OFA-large-caption")
    message = str(caught.value)
    entry = load_manifest()["OFA-large-caption"]
    assert all(part in message for part in (str(tmp_path), entry.source, "vocab.json", "--weights"))
    assert "\n" not in message


def test_an_incomplete_folder_is_not_taken_for_the_model(tmp_path):
    (tmp_path / "OFA-large-caption").mkdir()
    with pytest.raises(MissingWeights, match="needed: config"):
        WeightRoots((tmp_path,)).find("OFA-large-caption")


def test_a_model_of_one_file_is_that_file_whatever_else_is_there(tmp_path):
    for name in ("model_large_caption.pth", "vit_base_patch16_224.pth"):
        (tmp_path / name).touch()
    for name in ("model_large_caption.pth", "vit_base_patch16_224.pth"):
        assert WeightRoots((tmp_path,)).find(name).path == tmp_path / name


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_weights_count_under_either_of_their_usual_names(tmp_path, name):
    folder = tmp_path / "OFA-large-caption"
    folder.mkdir()
    for file in ("config.json", "vocab.json", "merges.txt", name):
        (folder / file).write_text("{}")
    assert WeightRoots((tmp_path,)).find("OFA-large-caption").path == folder


def test_a_model_nobody_knows_is_one_clear_error(tmp_path):
    with pytest.raises(MissingWeights, match="neither in the manifest"):
        WeightRoots((tmp_path,)).find("no-such-model")


def test_a_root_that_is_not_there_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMPT_ENSEMBLE_WEIGHTS", str(tmp_path / "gone"))
    with pytest.raises(MissingWeights, match="gone"):
        WeightRoots.usual()


def test_the_environment_names_roots(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    monkeypatch.setenv("PROMPT_ENSEMBLE_WEIGHTS", str(tmp_path))
    assert WeightRoots.usual().find("model").path == tmp_path / "model"


def test_a_link_out_of_a_root_is_not_followed(tmp_path):
    (tmp_path / "outside" / "secret").mkdir(parents=True)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(MissingWeights):
        WeightRoots((tmp_path / "root",)).find("secret")


def test_a_layout_is_recognised_by_its_files_and_model_type(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "git"}')
    assert recognise(tmp_path, LAYOUTS) == "git"


def test_a_file_can_be_a_layout(tmp_path):
    (tmp_path / "a.pth").touch()
    assert recognise(tmp_path / "a.pth", LAYOUTS) == "checkpoint"


def test_an_unknown_layout_says_what_is_there(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(BadWeights, match=r"it holds \['notes.txt'\]"):
        recognise(tmp_path, LAYOUTS)


def test_digests_follow_content_and_names(tmp_path):
    (tmp_path / "a").write_text("x")
    before = weights_digest(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    renamed = weights_digest(tmp_path)
    (tmp_path / "b").write_text("y")
    assert len({before, renamed, weights_digest(tmp_path)}) == 3


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("CLIP-ViT-H-14-laion2B-s32B-b79K", ["open_clip_pytorch_model.bin"]),
        (
            "git-large-coco",
            ["config.json", "processor_config.json", "tokenizer.json", "pytorch_model.bin"],
        ),
    ],
    ids=["a .bin of open_clip", "the one config of transformers 5"],
)
def test_folders_count_as_their_hubs_hold_them(tmp_path, name, files):
    for file in files:
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / file).touch()
    assert WeightRoots((tmp_path,)).find(name).path == tmp_path / name


def test_a_relative_path_is_one_from_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "runs" / "lite" / "regressor").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert WeightRoots(()).find("runs/lite/regressor").path.samefile("runs/lite/regressor")


@pytest.mark.parametrize("many", [False, True])
def test_folders_may_be_named_as_texts(tmp_path, many):
    given = [str(tmp_path)] if many else str(tmp_path)
    assert WeightRoots.usual(given).folders[0] == tmp_path

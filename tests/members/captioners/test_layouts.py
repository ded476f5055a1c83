"""Captioners are found by kind, by folder name and by path."""

import subprocess
import sys

import pytest
import torch
from tiny_captioners import coca_model, save_blip, save_git

from prompt_ensemble.core.errors import BadConfig, BadWeights, MissingWeights
from prompt_ensemble.members.captioners.coca import recognise_architecture
from prompt_ensemble.members.captioners.layouts import captioner_kind, find_captioner
from prompt_ensemble.models.weights import WeightRoots


@pytest.fixture
def roots(tmp_path):
    save_git(tmp_path / "owner" / "my-git")
    return WeightRoots((tmp_path,))


def test_by_the_name_of_its_folder(roots, tmp_path):
    assert find_captioner("my-git", roots) == ("git", tmp_path / "owner" / "my-git")


def test_by_its_path(roots, tmp_path):
    path = tmp_path / "owner" / "my-git"
    assert find_captioner(str(path), roots) == ("git", path)


def test_by_its_kind_if_it_is_the_only_one(roots, tmp_path):
    assert find_captioner("git", roots) == ("git", tmp_path / "owner" / "my-git")


def test_by_its_kind_the_usual_name_comes_first(roots, tmp_path):
    save_git(tmp_path / "git-large-coco")
    assert find_captioner("git", roots) == ("git", tmp_path / "git-large-coco")


def test_two_of_a_kind_without_the_usual_name_are_an_error(roots, tmp_path):
    save_git(tmp_path / "another")
    with pytest.raises(BadConfig, match="several folders hold a captioner of kind 'git'"):
        find_captioner("git", roots)


def test_what_is_not_there_is_said(roots):
    with pytest.raises(MissingWeights, match="blip-image-captioning-large"):
        find_captioner("blip", roots)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("model_large_caption.pth", "blip"),
        ("model_base_caption_capfilt_large.pth", "blip"),
        ("caption_large_best_clean.pt", "ofa"),
        ("mscoco_finetuned_CoCa-ViT-L-14-laion2B-s13B-b90k.bin", "coca"),
        ("coca_ViT-B-32.safetensors", "coca"),
    ],
)
def test_single_files_tell_their_kind_by_their_name(tmp_path, name, kind):
    (tmp_path / name).touch()
    assert captioner_kind(tmp_path / name) == kind


def test_a_folder_of_anything_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(BadWeights, match="no model layout known here"):
        captioner_kind(tmp_path)


def test_a_transformers_folder_is_told_by_its_config(tmp_path):
    save_blip(tmp_path / "x")
    assert captioner_kind(tmp_path / "x") == "blip"


@pytest.mark.parametrize("name", ["coca_ViT-B-32", "coca_ViT-L-14"])
def test_a_coca_is_recognised_by_its_tensors(name, tmp_path):
    from open_clip import get_model_config

    vision = get_model_config(name)["vision_cfg"]
    patches = torch.empty(vision["width"], 3, *[vision["patch_size"]] * 2, device="meta")
    known = ["coca_ViT-B-32", "coca_ViT-L-14"]
    assert recognise_architecture({"visual.conv1.weight": patches}, known, tmp_path) == name


def test_a_coca_of_unknown_size_asks_for_its_config(tmp_path, make, cpu):
    torch.save({"state_dict": coca_model().state_dict()}, tmp_path / "coca.pt")
    with pytest.raises(BadWeights, match="open_clip_config"):
        make("coca", tmp_path / "coca.pt").open(cpu)


def test_a_coca_of_the_wrong_architecture_is_refused(tmp_path, make, cpu):
    torch.save({"visual.conv1.weight": torch.zeros(2, 3, 4, 4)}, tmp_path / "coca.pt")
    with pytest.raises(BadWeights, match="does not fit CoCa"):
        make("coca", tmp_path / "coca.pt", architecture="coca_ViT-B-32").open(cpu)
    with pytest.raises(BadConfig, match="did you mean 'coca_ViT-B-32'"):
        make("coca", tmp_path / "coca.pt", architecture="coca_ViT-B32").open(cpu)


def test_knowing_the_captioners_needs_no_torch():
    """The command line lists and checks them long before anything heavy is wanted."""
    kinds = "from prompt_ensemble.members.captioners.layouts import KINDS"
    look_up = "from prompt_ensemble.members.registry import predictor_class"
    ask = "[predictor_class(kind).Options() for kind in KINDS]"
    heavy = "assert not {'torch', 'transformers', 'open_clip'} & set(sys.modules)"
    program = "; ".join(["import sys", kinds, look_up, ask, heavy])
    subprocess.run([sys.executable, "-c", program], check=True)

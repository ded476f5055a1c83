"""Others' model folders: nothing in them runs, nothing is fetched, every fault is one line."""

import json

import pytest
import torch
from tiny_captioners import save_blip, save_coca, save_encoder_decoder, save_git

from prompt_ensemble.core.errors import BadWeights, PromptEnsembleError
from prompt_ensemble.members.captioners.layouts import find_captioner
from prompt_ensemble.members.registry import predictor_class
from prompt_ensemble.models.checkpoints import load_state
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.folders import check_configs, without_downloads
from prompt_ensemble.models.weights import WeightRoots

SAVERS = {
    "blip": save_blip,
    "git": save_git,
    "encoder-decoder": save_encoder_decoder,
    "coca": save_coca,
}
EVIL = "import pathlib\npathlib.Path(__file__).with_name('it-ran').touch()\nclass T: pass\n"


def change(file, **values):
    """Set keys of a JSON file, which need not be there yet."""
    content = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(content | values))


@pytest.fixture
def cpu():
    return Placement(torch.device("cpu"), torch.float32)


def predictor_of(folder):
    roots = WeightRoots((folder.parent,))
    kind, path = find_captioner(str(folder), roots)
    member_class = predictor_class(kind)
    return member_class(str(path), member_class.Options(), roots)


@pytest.mark.parametrize(
    "file",
    [
        "tokenizer_config.json",
        "config.json",
        "preprocessor_config.json",
        "processor_config.json",
        "generation_config.json",
    ],
)
def test_a_folder_that_asks_for_code_is_refused_and_its_code_never_runs(
    tmp_path, cpu, file, monkeypatch
):
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    folder = tmp_path / "captioner"
    save_encoder_decoder(folder)
    (folder / "evil.py").write_text(EVIL)
    change(folder / file, auto_map={"AutoTokenizer": ["evil.T", "evil.T"], "AutoModel": "evil.T"})
    with pytest.raises(BadWeights, match="must not run anything"):
        predictor_of(folder).open(cpu)
    assert not (folder / "it-ran").exists()


@pytest.mark.parametrize("name", ["/etc/passwd", "../elsewhere.safetensors"])
def test_shards_outside_the_folder_are_refused(tmp_path, name):
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(BadWeights, match="outside the model's folder"):
        check_configs(tmp_path)


def test_a_config_nested_beyond_reason_is_one_line(tmp_path):
    (tmp_path / "config.json").write_text('{"a":' * 5000 + "1" + "}" * 5000)
    with pytest.raises(BadWeights, match=r"nested more|not readable"):
        check_configs(tmp_path)


def test_no_switch_that_fetches_weights_stays_on():
    config = {"vision_cfg": {"timm_model_pretrained": True, "width": 8}, "pretrained": "yes"}
    assert without_downloads(config) == {
        "vision_cfg": {"timm_model_pretrained": False, "width": 8},
        "pretrained": False,
    }


def test_a_coca_that_names_pretrained_weights_fetches_none(tmp_path, cpu):
    folder = tmp_path / "coca"
    save_coca(folder)
    file = folder / "open_clip_config.json"
    config = json.loads(file.read_text())
    config["model_cfg"]["vision_cfg"] |= {
        "timm_model_name": "resnet18",
        "timm_model_pretrained": True,
    }
    file.write_text(json.dumps(config))
    with pytest.raises(BadWeights) as caught:
        predictor_of(folder).open(cpu)
    assert "\n" not in str(caught.value)
    assert "network" not in str(caught.value)


@pytest.mark.parametrize("kind", ["blip", "git", "encoder-decoder"])
@pytest.mark.parametrize(
    "recipe",
    [
        {"size": {"height": 0, "width": 0}},
        {"size": {"height": 10**6, "width": 10**6}},
        {"size": {"height": -4, "width": 4}},
        {"image_std": [0, 0, 0]},
        {"image_mean": [0.5, 0.5]},
    ],
    ids=str,
)
def test_an_impossible_preprocessing_is_one_line(tmp_path, cpu, kind, recipe):
    folder = tmp_path / "captioner"
    SAVERS[kind](folder)
    change(folder / "preprocessor_config.json", **(recipe | {"do_center_crop": False}))
    with pytest.raises(PromptEnsembleError) as caught:
        predictor_of(folder).open(cpu)
    assert "preprocessor_config.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["blip", "git"])
def test_a_config_of_the_wrong_shape_is_one_line(tmp_path, cpu, kind):
    folder = tmp_path / "captioner"
    SAVERS[kind](folder)
    change(folder / "config.json", vision_config="x")
    with pytest.raises(BadWeights) as caught:
        predictor_of(folder).open(cpu)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -3e38])
def test_numbers_that_no_network_holds_are_refused(tmp_path, value):
    from safetensors.torch import save_file

    save_file({"head.weight": torch.tensor([0.5, value])}, tmp_path / "w.safetensors")
    with pytest.raises(BadWeights, match=r"head\.weight holds"):
        load_state(tmp_path / "w.safetensors")

"""What the JSON files of a folder may not ask for, and sound folders that are let in."""

import contextlib
import json
import shutil
import socket
import sys

import pytest
import torch
from models.test_folders import change, cpu, predictor_of
from safetensors.torch import load_file, save_file
from tiny_captioners import save_blip, save_coca, save_encoder_decoder, save_git

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.models.folders import check_configs
from prompt_ensemble.models.sentence_encoder import SentenceEncoder, default_folder
from prompt_ensemble.models.weights import WeightRoots, embedded_folder

__all__ = ["cpu"]
CODE = "import pathlib\npathlib.Path(__file__).with_name('it-ran').touch()\nclass T: pass\n"


def refused(open_it, expected):
    """The attempt is refused with this message, in one line."""
    with pytest.raises(BadWeights, match=expected) as caught:
        open_it()
    assert "\n" not in str(caught.value)


@pytest.fixture
def encoder(tmp_path):
    return shutil.copytree(default_folder(), tmp_path / "encoder")


@pytest.fixture
def regressor(tmp_path):
    return shutil.copytree(embedded_folder() / "embedded-lite0", tmp_path / "mine")


def opened(folder):
    """A regressor, as ``predict`` opens it."""
    from prompt_ensemble.members.registry import predictor_class
    from prompt_ensemble.models.device import Placement

    kind = predictor_class("regressor")
    roots = WeightRoots((folder.parent, embedded_folder()))
    place = Placement(torch.device("cpu"), torch.float32)
    return kind(str(folder), kind.Options(), roots).open(place)


@pytest.mark.parametrize(
    "named", ["evil_module.T", "os.abort", "sentence_transformers.models.Router"]
)
def test_an_encoder_gets_no_module_but_plain_layers(encoder, named, monkeypatch):
    (encoder / "evil_module.py").write_text(CODE)
    monkeypatch.setattr(sys, "path", [str(encoder), *sys.path])
    modules = [{"idx": 0, "name": "0", "path": "", "type": named}]
    (encoder / "modules.json").write_text(json.dumps(modules))
    refused(lambda: SentenceEncoder(encoder).encode(["a"]), "must not run anything")
    assert not (encoder / "it-ran").exists()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("modules.json", "3"),
        ("modules.json", "[3]"),
        ("modules.json", "[" * 100_000),
        ("modules.json", '[{"type": "sentence_transformers.models.Pooling", "path": "../x"}]'),
        ("1_Pooling/config.json", "[]"),
        ("1_Pooling/config.json", '{"auto_map": {"AutoModel": "evil.T"}}'),
        ("1_Pooling/config.json", '{"activation_function": "os.abort"}'),
        ("config.json", '{"model_type": "bert", "hidden_size": "evil"}'),
        ("sentence_bert_config.json", '{"model_args": {"trust_remote_code": true}}'),
        ("model.safetensors", "12345678901"),
        ("tokenizer.json", "{}"),
    ],
)
def test_a_damaged_encoder_is_one_line(encoder, file, content):
    (encoder / file).write_text(content)
    refused(lambda: SentenceEncoder(encoder).encode(["a"]), str(encoder))


def test_a_tokenizer_that_panics_is_one_line(encoder):
    change(
        encoder / "tokenizer.json",
        normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"},
    )
    refused(lambda: SentenceEncoder(encoder).encode(["a"]), "cannot be used because of")


def spoil(file):
    """A number in a matrix becomes not-a-number."""
    state = load_file(file)
    name = next(name for name in sorted(state) if state[name].is_floating_point())
    state[name].view(-1)[0] = float("nan")
    save_file(state, file, {"format": "pt"})


@pytest.mark.parametrize("save", [save_blip, save_git, save_encoder_decoder])
def test_a_captioner_with_a_number_that_is_none_is_refused(tmp_path, cpu, save):
    save(tmp_path / "captioner")
    spoil(tmp_path / "captioner" / "model.safetensors")
    refused(lambda: predictor_of(tmp_path / "captioner").open(cpu), "is damaged: .* holds nan")


def test_an_encoder_with_a_number_that_is_none_is_refused(encoder):
    spoil(encoder / "model.safetensors")
    refused(lambda: SentenceEncoder(encoder).encode(["a"]), "is damaged: .* holds nan")


@pytest.mark.parametrize("name", ["hf-hub:timm/resnet18.a1_in1k", "local-dir:/tmp", "org/net"])
def test_a_network_of_timm_that_lies_elsewhere_is_refused(tmp_path, cpu, name):
    folder = tmp_path / "coca"
    save_coca(folder)
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"]["timm_model_name"] = name
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    refused(lambda: predictor_of(folder).open(cpu), "lies on a hub or in another folder")


@pytest.mark.parametrize(
    "config",
    [
        {"checkpoint_path": "/elsewhere/weights.pth"},
        {"checkpoint_path": "other.pth"},
        {"pretrained": True},
        {"pretrained_cfg": {"url": "http://127.0.0.1/weights.pth"}},
    ],
    ids=str,
)
def test_a_regressor_names_no_weights_elsewhere(regressor, config):
    card = json.loads((regressor / "regressor.json").read_text())
    change(regressor / "regressor.json", tower=card["tower"] | {"config": config})
    refused(lambda: opened(regressor), "that is refused")


def test_what_a_regressor_records_of_its_training_is_no_instruction(regressor):
    change(regressor / "regressor.json", training={"path": "/data/pairs", "layers": 10**9})
    check_configs(regressor)


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        ("vision_config", {"attn_implementation": "org/kernel"}, "must not run anything"),
        ("vision_config", {"hidden_size": 10**9}, "hidden_size 1000000000"),
        ("text_config", {"num_hidden_layers": 10**7}, "num_hidden_layers 10000000"),
        ("vision_config", {"image_size": -8}, "image_size -8"),
        ("text_config", {"vocab_size": 4_000_000}, "too few for the network"),
        ("vision_config", {"patch_size": 0}, "cannot be used because of"),
    ],
    ids=str,
)
def test_a_measure_that_no_network_has_is_one_line(tmp_path, cpu, part, values, message):
    folder = tmp_path / "blip"
    save_blip(folder)
    config = json.loads((folder / "config.json").read_text())
    change(folder / "config.json", **{part: config[part] | values})
    refused(lambda: predictor_of(folder).open(cpu), message)


def test_a_tower_larger_than_its_files_is_refused_before_it_takes_the_memory(regressor):
    card = json.loads((regressor / "regressor.json").read_text())
    config = {"model_type": "vit", "hidden_size": 49152, "num_attention_heads": 8}
    tower = {"library": "transformers", "name": "vit", "config": config}
    change(regressor / "regressor.json", tower=card["tower"] | tower)
    refused(lambda: opened(regressor), "too few for the network")


def test_an_adapter_is_refused(tmp_path, cpu):
    save_blip(tmp_path / "blip")
    change(tmp_path / "blip" / "adapter_config.json", base_model_name_or_path="/elsewhere")
    refused(lambda: predictor_of(tmp_path / "blip").open(cpu), "merge it into its model")


def test_a_list_in_a_list_is_looked_through(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"a": [[{"auto_map": {"AutoModel": "e.T"}}]]}))
    refused(lambda: check_configs(tmp_path), "must not run anything")


def test_whoever_reaches_for_the_network_is_noted_though_the_error_is_swallowed():
    for reach in (lambda: socket.create_connection(("127.0.0.1", 9)), lambda: socket.socket()):
        with contextlib.suppress(OSError):
            reach()
    assert len(socket.socket.attempts) == 2
    socket.socket.attempts.clear()


def test_every_architecture_that_open_clip_publishes_is_let_in(tmp_path):
    from open_clip import get_model_config, list_models

    for name in list_models():
        config = json.dumps({"model_cfg": get_model_config(name), "preprocess_cfg": {}})
        (tmp_path / "open_clip_config.json").write_text(config)
        check_configs(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["Blip", "Blip2", "Git", "Florence2", "CLIP", "Siglip", "Siglip2", "ViT", "Swin", "GPT2"],
)
def test_what_transformers_writes_itself_is_let_in(tmp_path, name):
    import transformers

    getattr(transformers, f"{name}Config")().save_pretrained(tmp_path)
    check_configs(tmp_path)

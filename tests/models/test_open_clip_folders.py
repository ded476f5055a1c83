"""What open_clip's checkpoints and configs say, whoever asks: towers, encoders and CoCa."""

import json

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from prompt_ensemble.core.errors import BadConfig, BadWeights
from prompt_ensemble.models.open_clip_folders import (
    build_clip,
    find_checkpoint,
    known_architecture,
    load_clip_state,
    read_architecture,
    read_state,
)

CONFIG = {
    "embed_dim": 24,
    "vision_cfg": {"layers": 1, "width": 32, "head_width": 16, "patch_size": 16, "image_size": 32},
    "text_cfg": {"layers": 1, "width": 16, "heads": 2, "vocab_size": 99, "context_length": 8},
}


@pytest.fixture
def state():
    torch.manual_seed(0)
    return open_clip.CLIP(**CONFIG).state_dict()


def describe(folder, **config):
    (folder / "open_clip_config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"state_dict": {f"module.{name}": t for name, t in state.items()}},
        lambda state: state | {"input_resolution": 32, "vocab_size": torch.tensor(99)},
        lambda state: state | {"text.attn_mask": torch.zeros(8, 8), "position_ids": torch.zeros(8)},
        lambda state: state | {"logit_scale": state["logit_scale"].reshape(1)},
        lambda state: {name: tensor.half() for name, tensor in state.items()},
    ],
    ids=["plain", "nested", "in parallel", "OpenAI's", "old buffers", "a list of one", "half"],
)
def test_a_checkpoint_fills_its_network_however_it_was_saved(tmp_path, state, wrap):
    torch.save(wrap(state), tmp_path / "model.pt")
    model = build_clip(CONFIG)
    load_clip_state(model, read_state(tmp_path / "model.pt"), tmp_path / "model.pt")
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, state[name], atol=1e-3, rtol=1e-3)


def test_a_tensor_too_many_is_named(tmp_path, state):
    torch.save(state | {"extra": torch.zeros(1)}, tmp_path / "model.pt")
    with pytest.raises(BadWeights, match=r"1 unexpected \(extra\)"):
        load_clip_state(build_clip(CONFIG), read_state(tmp_path / "model.pt"), tmp_path)


def test_open_clips_own_file_comes_before_others(tmp_path, state):
    for name in ("a.safetensors", "open_clip_model.safetensors"):
        save_file(state, tmp_path / name)
    assert find_checkpoint(tmp_path).name == "open_clip_model.safetensors"


def test_a_folder_without_a_checkpoint_is_one_clear_error(tmp_path):
    with pytest.raises(BadWeights, match="holds no checkpoint"):
        find_checkpoint(tmp_path)


def test_a_name_goes_before_the_folders_config(tmp_path):
    describe(tmp_path, model_cfg=CONFIG)
    assert read_architecture(tmp_path, "").model == CONFIG
    assert read_architecture(tmp_path, "ViT-B-32").model["embed_dim"] == 512


def test_a_config_without_a_model_is_one_clear_error(tmp_path):
    describe(tmp_path, preprocess_cfg={})
    with pytest.raises(BadWeights, match="has no model_cfg"):
        read_architecture(tmp_path, "")


def test_openai_weights_ask_for_their_own_activation(tmp_path):
    assert known_architecture("ViT-B-32/openai", tmp_path).model["quick_gelu"]


@pytest.mark.parametrize(("name", "message"), [("", "architecture"), ("ViT-B32", "ViT-B-32")])
def test_an_unknown_name_is_one_clear_error(name, message, tmp_path):
    with pytest.raises(BadConfig, match=message):
        known_architecture(name, tmp_path)


def test_the_recipe_is_clips_where_the_config_is_silent(tmp_path):
    recipe = known_architecture("ViT-L-14-336", tmp_path).recipe()
    assert (recipe.height, recipe.resize_shortest, recipe.interpolation) == (336, 336, "bicubic")


def test_squashed_images_have_no_shorter_side(tmp_path):
    describe(tmp_path, model_cfg=CONFIG, preprocess_cfg={"resize_mode": "squash"})
    assert read_architecture(tmp_path, "").recipe().resize_shortest is None


def test_an_unknown_resize_mode_is_one_clear_error(tmp_path):
    describe(tmp_path, model_cfg=CONFIG, preprocess_cfg={"resize_mode": "longest"})
    with pytest.raises(BadConfig, match="resize mode 'longest'"):
        read_architecture(tmp_path, "").recipe()

"""Models from folders and single files: alike where both are whole, one line where they are not."""

import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from original_diffusion import save_original
from safetensors.torch import load_file, save_file
from tiny_diffusion import tiny_xl_pipeline, write_config_only

from prompt_ensemble.core.errors import BadWeights, MissingWeights
from prompt_ensemble.generating.drawings import drawings_of
from prompt_ensemble.generating.image_generator import open_generator
from prompt_ensemble.generating.image_model import ImageModel
from prompt_ensemble.generating.recipe import GenerationRecipe
from prompt_ensemble.models.device import choose_placement

RECIPE = GenerationRecipe(steps=2, batch_size=2)


def drawn(model):
    generator = open_generator(model, RECIPE, choose_placement("cpu", "fp32"))
    made = generator.draw(list(drawings_of(["a cat on a roof", "fog"], 0, 1)))
    return np.stack([np.asarray(one.picture) for one in made])


@pytest.fixture(scope="module")
def expected(diffusion_folder):
    return drawn(ImageModel(diffusion_folder))


@pytest.fixture
def copied(diffusion_folder, tmp_path):
    return shutil.copytree(diffusion_folder, tmp_path / "copied")


@pytest.mark.parametrize(
    ("name", "version"), [("model.safetensors", "1"), ("model.ckpt", "1"), ("model.ckpt", "2")]
)
def test_a_single_file_draws_what_the_folder_draws(
    diffusion_folder, expected, name, version, tmp_path
):
    small_files = write_config_only(diffusion_folder, tmp_path / "config")
    file = save_original(diffusion_folder, tmp_path / name, version)
    model = ImageModel(file, str(small_files))
    np.testing.assert_array_equal(drawn(model), expected)
    settings = model.settings(RECIPE)
    assert (settings.model, settings.scheduler) == ("model", "DDIMScheduler")


def test_so_does_one_of_the_layout_of_xl(tmp_path):
    tiny_xl_pipeline().save_pretrained(tmp_path / "xl")
    small_files = write_config_only(tmp_path / "xl", tmp_path / "config")
    file = save_original(tmp_path / "xl", tmp_path / "xl.safetensors", "xl")
    whole = drawn(ImageModel(tmp_path / "xl"))
    np.testing.assert_array_equal(drawn(ImageModel(file, str(small_files))), whole)


def test_half_precision_files_alone_are_enough(copied, expected):
    for part in ("unet", "vae", "text_encoder"):
        (file,) = (copied / part).glob("*.safetensors")
        file.rename(file.with_name(file.name.replace(".safetensors", ".fp16.safetensors")))
    np.testing.assert_array_equal(drawn(ImageModel(copied)), expected)


def test_files_of_torch_are_read_without_running_them(copied, expected):
    for part, name in (("unet", "diffusion_pytorch_model"), ("text_encoder", "pytorch_model")):
        (file,) = (copied / part).glob("*.safetensors")
        torch.save(load_file(file), copied / part / f"{name}.bin")
        file.unlink()
    np.testing.assert_array_equal(drawn(ImageModel(copied)), expected)


def test_names_of_the_text_encoder_as_first_published(copied, expected):
    file = copied / "text_encoder" / "model.safetensors"
    state = {
        f"text_model.{name.removeprefix('text_model.')}": t for name, t in load_file(file).items()
    }
    save_file(state, file, {"format": "pt"})
    np.testing.assert_array_equal(drawn(ImageModel(copied)), expected)


def test_a_tokenizer_that_says_no_length(copied, expected):
    file = copied / "tokenizer" / "tokenizer_config.json"
    config = json.loads(file.read_text())
    del config["model_max_length"]
    file.write_text(json.dumps(config))
    np.testing.assert_array_equal(drawn(ImageModel(copied)), expected)


def change_index(folder, **entries):
    file = folder / "model_index.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | entries))


class Bomb:
    def __reduce__(self):
        return (print, ("code ran",))


def cut_tensor(folder):
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    state = load_file(file)
    del state["conv_in.weight"]
    save_file(state, file)


def plant_bomb(folder):
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with (folder / "unet" / "diffusion_pytorch_model.bin").open("wb") as file:
        pickle.dump({"conv_in.weight": Bomb()}, file)


def ask_for_code(folder):
    file = folder / "text_encoder" / "config.json"
    config = json.loads(file.read_text()) | {"auto_map": {"AutoModel": "mine.Model"}}
    file.write_text(json.dumps(config))


FAULTS = {
    "own pipeline": (lambda f: change_index(f, _class_name="MyPipeline"), "'MyPipeline', which"),
    "pipeline file": (lambda f: change_index(f, _class_name=["mine", "Pipe"]), "code that comes"),
    "own part": (lambda f: change_index(f, unet=["mine", "UNet"]), "unet as .'mine', 'UNet'."),
    "foreign library": (lambda f: change_index(f, unet=["os", "system"]), "code that comes"),
    "a function": (lambda f: change_index(f, unet=["transformers", "pipeline"]), "code that comes"),
    "image to image": (
        lambda f: change_index(f, _class_name="StableDiffusionImg2ImgPipeline"),
        "from prompts alone",
    ),
    "auto_map": (ask_for_code, "must not run anything"),
    "missing part": (lambda f: shutil.rmtree(f / "vae"), "vae is missing, though"),
    "missing index": (lambda f: (f / "model_index.json").unlink(), "holds no model_index.json"),
    "missing weights": (
        lambda f: (f / "vae" / "diffusion_pytorch_model.safetensors").unlink(),
        "vae holds no weights",
    ),
    "missing tensor": (cut_tensor, "1 missing .conv_in.weight"),
    "pickled code": (plant_bomb, "cannot be used"),
    "cut file": (
        lambda f: (f / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"cut"),
        "cannot be used",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_folder_with_a_fault_is_one_line(copied, fault, capsys):
    break_it, reason = FAULTS[fault]
    break_it(copied)
    with pytest.raises(BadWeights, match=reason) as caught:
        drawn(ImageModel(copied))
    assert "\n" not in str(caught.value)
    assert "code ran" not in capsys.readouterr().out


def test_a_single_file_with_a_fault_is_one_line(diffusion_folder, tmp_path):
    small_files = str(write_config_only(diffusion_folder, tmp_path / "config"))
    file = save_original(diffusion_folder, tmp_path / "model.safetensors")
    state = load_file(file)
    for lacking in ("input_blocks.0.0.weight", "layers.1.mlp.fc1.weight", "decoder.conv_in.bias"):
        save_file({name: t for name, t in state.items() if not name.endswith(lacking)}, file)
        with pytest.raises(BadWeights, match="does not fit its architecture"):
            drawn(ImageModel(file, small_files))
    save_file({name: t for name, t in state.items() if "input_blocks.0.0" not in name}, file)
    with pytest.raises(BadWeights, match="no whole Stable Diffusion"):
        drawn(ImageModel(file))
    save_file(state, file)
    with pytest.raises(BadWeights, match=r"width 32, .*--architecture"):
        drawn(ImageModel(file))
    with (tmp_path / "bomb.ckpt").open("wb") as bomb:
        pickle.dump({"state_dict": Bomb()}, bomb)
    with pytest.raises(BadWeights, match=r"could run code|cannot be used"):
        drawn(ImageModel(tmp_path / "bomb.ckpt"))


def test_a_model_that_is_not_there(tmp_path):
    with pytest.raises(MissingWeights, match="is not there"):
        drawn(ImageModel(tmp_path / "none"))
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(BadWeights, match="is no checkpoint"):
        drawn(ImageModel(tmp_path / "a.txt"))

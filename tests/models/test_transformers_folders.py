"""Folders that are not what they should be give one line each, and never a random tensor."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from prompt_ensemble.core.errors import BadWeights, PromptEnsembleError
from prompt_ensemble.models.transformers_folders import load_preprocessing, target_size


@pytest.fixture
def git_folder(captioners, tmp_path):
    return shutil.copytree(captioners / "git", tmp_path / "git")


def change_tensors(folder, change):
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def change_json(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


DAMAGES = {
    "no config": (lambda f: (f / "config.json").unlink(), "config.json is missing"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "holds no weights"),
    "no tokenizer": (lambda f: (f / "vocab.txt").unlink(), "holds no tokenizer"),
    "no recipe": (lambda f: (f / "preprocessor_config.json").unlink(), "preprocessor_config.json"),
    "another model": (lambda f: change_json(f / "config.json", model_type="bert"), "'bert'"),
    "broken config": (lambda f: (f / "config.json").write_text("{"), "not readable JSON"),
    "cut off": (lambda f: (f / "model.safetensors").write_bytes(b"\0" * 40), "cannot be loaded"),
    "tensor missing": (
        lambda f: change_tensors(f, lambda s: s.pop("output.weight")),
        r"1 missing \(output.weight\)",
    ),
    "tensor too many": (
        lambda f: change_tensors(f, lambda s: s.update(more=torch.zeros(1))),
        r"1 unexpected \(more\)",
    ),
    "tensor of another shape": (
        lambda f: change_tensors(f, lambda s: s.update({"output.bias": torch.zeros(3)})),
        r"1 mismatched \(output.bias\)",
    ),
    "config of another size": (
        lambda f: change_json(f / "config.json", num_hidden_layers=3),
        "16 missing",
    ),
    "recipe without size": (
        lambda f: (f / "preprocessor_config.json").write_text('{"image_mean": [0, 0, 0]}'),
        "no image recipe",
    ),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_folder_is_one_clear_error(git_folder, make, cpu, damage, message):
    damage(git_folder)
    with pytest.raises(PromptEnsembleError, match=message) as raised:
        make("git", git_folder).open(cpu)
    assert "\n" not in str(raised.value)


def test_torch_files_and_old_buffers_load_as_well(git_folder, caption, pixels):
    before = caption("git", git_folder, pixels)
    state = load_file(git_folder / "model.safetensors")
    state["git.embeddings.position_ids"] = torch.arange(48)[None]
    torch.save(state, git_folder / "pytorch_model.bin")
    (git_folder / "model.safetensors").unlink()
    assert caption("git", git_folder, pixels) == before


@pytest.mark.parametrize(
    ("size", "crop", "crops", "expected"),
    [
        (384, None, False, (None, 384, 384)),
        ({"height": 384, "width": 300}, None, False, (None, 384, 300)),
        (224, 224, True, (224, 224, 224)),
        ({"shortest_edge": 256}, {"height": 224, "width": 224}, True, (256, 224, 224)),
        ({"height": 224, "width": 224}, {"height": 224, "width": 224}, True, (None, 224, 224)),
    ],
)
def test_all_ways_of_writing_a_size_are_understood(size, crop, crops, expected):
    assert target_size(size, crop, crops) == expected


@pytest.mark.parametrize(
    ("size", "crop", "crops"), [({"shortest_edge": 224}, None, False), (256, 224, False)]
)
def test_pictures_that_would_differ_in_shape_are_refused(size, crop, crops):
    if isinstance(size, int):
        assert target_size(size, crop, crops) == (None, 256, 256)
        return
    with pytest.raises(ValueError, match="different shapes"):
        target_size(size, crop, crops)


def test_the_recipe_may_be_in_the_processors_file(git_folder):
    recipe = git_folder / "preprocessor_config.json"
    before = load_preprocessing(git_folder)
    inside = {"image_processor": json.loads(recipe.read_text())}
    (git_folder / "processor_config.json").write_text(json.dumps(inside))
    recipe.unlink()
    assert load_preprocessing(git_folder) == before


def test_a_recipe_may_leave_colours_as_they_are(git_folder):
    change_json(git_folder / "preprocessor_config.json", do_normalize=False)
    white = torch.full((1, 3, 32, 32), 255, dtype=torch.uint8)
    assert load_preprocessing(git_folder).normalise(white).unique().tolist() == [1.0]


def test_a_recipe_gives_the_pixels_that_transformers_gives(git_folder):
    import numpy as np
    from PIL import Image
    from transformers import CLIPImageProcessorPil

    random = np.random.default_rng(0)
    image = Image.fromarray(random.integers(0, 256, (41, 64, 3), dtype=np.uint8))
    recipe = load_preprocessing(git_folder)
    ours = recipe.normalise(recipe.prepare(image))
    theirs = CLIPImageProcessorPil.from_pretrained(git_folder, local_files_only=True)
    expected = theirs(image, return_tensors="pt").pixel_values[0]
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=0)


def test_weights_that_want_to_run_code_are_refused(git_folder, make, cpu):
    (git_folder / "model.safetensors").unlink()
    torch.save({"output.weight": Exploding()}, git_folder / "pytorch_model.bin")
    with pytest.raises(BadWeights):
        make("git", git_folder).open(cpu)


class Exploding:
    """Unpickled, it would end the test run."""

    def __reduce__(self):
        import os

        return os._exit, (3,)

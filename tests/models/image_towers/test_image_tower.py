"""Towers of every library, from files laid out as users have them, through the registry."""

import json

import numpy as np
import open_clip
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file
from tiny_captioners import save_blip2

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.members.contract import Batch
from prompt_ensemble.members.registry import predictor_class
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.models.image_towers.image_tower import (
    TowerSpec,
    build_tower,
    describe_tower,
    load_backbones,
)
from prompt_ensemble.models.regressor.head import HeadSpec, build_head
from prompt_ensemble.models.regressor.network import Regressor
from prompt_ensemble.models.regressor.regressor_folder import RegressorCard, save_regressor
from prompt_ensemble.models.weights import WeightRoots

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
         "intermediate_size": 64, "image_size": 32, "patch_size": 16}  # fmt: skip
TEXT = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 99,
        "intermediate_size": 32, "eos_token_id": 98, "bos_token_id": 97}  # fmt: skip
RECIPE = {"size": {"height": 32, "width": 32}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
          "resample": 3}  # fmt: skip


def save_vit(folder):
    save_transformers(
        transformers.ViTForImageClassification(transformers.ViTConfig(**SMALL)), folder
    )


def save_vit_features(folder):
    save_transformers(transformers.ViTModel(transformers.ViTConfig(**SMALL)), folder)


def save_clip(folder):
    config = transformers.CLIPConfig(vision_config=SMALL, text_config=TEXT, projection_dim=24)
    save_transformers(transformers.CLIPModel(config), folder)


def save_siglip(folder):
    config = transformers.SiglipConfig(vision_config=SMALL, text_config=TEXT)
    save_transformers(transformers.SiglipModel(config), folder)


def save_transformers(model, folder):
    torch.nn.init.normal_(next(model.parameters()), std=0.5)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(RECIPE))


def save_open_clip(folder):
    folder.mkdir()
    vision = {"layers": 2, "width": 32, "head_width": 16, "patch_size": 16, "image_size": 32}
    text = {"layers": 1, "width": 16, "heads": 2, "vocab_size": 99, "context_length": 8}
    config = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text}
    save_file(open_clip.CLIP(**config).state_dict(), folder / "open_clip_model.safetensors")
    described = {"model_cfg": config, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}
    (folder / "open_clip_config.json").write_text(json.dumps(described))


def save_timm(folder):
    import timm

    folder.mkdir()
    model = timm.create_model("test_vit", num_classes=1000)
    torch.save({"state_dict": model.state_dict()}, folder / "weights.pth")


PUBLISHED = {
    "vit": (save_vit, "transformers", ""),
    "vit features": (save_vit_features, "transformers", ""),
    "clip": (save_clip, "transformers", ""),
    "siglip": (save_siglip, "transformers", ""),
    "blip-2": (save_blip2, "transformers", ""),
    "open_clip": (save_open_clip, "open_clip", ""),
    "timm": (save_timm, "timm", "test_vit"),
}


@pytest.fixture(params=PUBLISHED, ids=list(PUBLISHED))
def published(request, tmp_path):
    """A tower as published, its spec and recipe, and roots that find it."""
    save, library, name = PUBLISHED[request.param]
    torch.manual_seed(0)
    save(tmp_path / "published")
    roots = WeightRoots((tmp_path,))
    spec, recipe = describe_tower(library, name, "published", roots)
    tower = build_tower(spec).eval()
    load_backbones(tower, spec, roots)
    return tower, spec, recipe, roots


def picture() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def features(tower, recipe) -> torch.Tensor:
    with torch.inference_mode():
        return tower(recipe.normalise(recipe.prepare(picture()))[None])


def test_weights_are_the_published_ones(published):
    tower, spec, recipe, roots = published
    torch.manual_seed(99)
    again = build_tower(spec).eval()
    before = features(again, recipe)
    load_backbones(again, spec, roots)
    assert torch.equal(features(again, recipe), features(tower, recipe))
    assert not torch.allclose(before, features(tower, recipe))


@pytest.mark.parametrize("learnt", [False, True], ids=["frozen tower", "tower that has learnt"])
def test_a_saved_regressor_predicts_through_the_registry(published, learnt, tmp_path):
    tower, spec, recipe, roots = published
    head = HeadSpec("linear", features(tower, recipe).shape[1])
    model = Regressor(tower, build_head(head)).eval()
    saved = type(spec)(spec.library, spec.name, None if learnt else spec.backbone, spec.config)
    save_regressor(model, RegressorCard(saved, head, recipe), tmp_path / "mine")
    kind = predictor_class("regressor")
    member = kind("mine", kind.Options(), roots)
    opened = member.open(choose_placement("cpu"))
    with torch.inference_mode():
        rows = opened.run(Batch(("a",), (torch.stack([opened.prepare(picture())[0]]),))).vectors
        expected = model(recipe.normalise(recipe.prepare(picture()))[None]).numpy()
    assert np.allclose(rows, expected, atol=2e-2)


def test_clips_row_is_in_the_space_of_texts(tmp_path):
    save_clip(tmp_path / "clip")
    roots = WeightRoots((tmp_path,))
    spec, recipe = describe_tower("transformers", "", "clip", roots)
    tower = build_tower(spec).eval()
    load_backbones(tower, spec, roots)
    whole = transformers.CLIPModel.from_pretrained(tmp_path / "clip").eval()
    pixels = recipe.normalise(recipe.prepare(picture()))[None]
    with torch.inference_mode():
        expected = whole.get_image_features(pixel_values=pixels)
        expected = getattr(expected, "pooler_output", expected)
        assert torch.allclose(tower(pixels), expected, atol=1e-5)


def test_weights_of_another_network_are_named(tmp_path):
    save_timm(tmp_path / "published")
    state = torch.load(tmp_path / "published" / "weights.pth", weights_only=True)["state_dict"]
    state["blocks.0.extra"] = state.pop("blocks.0.norm1.weight")
    torch.save(state, tmp_path / "published" / "weights.pth")
    roots = WeightRoots((tmp_path,))
    spec, _ = describe_tower("timm", "test_vit", "published", roots)
    with pytest.raises(BadWeights) as caught:
        load_backbones(build_tower(spec), spec, roots)
    assert "1 missing (blocks.0.norm1.weight); 1 unexpected (blocks.0.extra)" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_an_image_encoder_is_refused(tmp_path):
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(BadWeights, match="model_type 'bert'"):
        describe_tower("transformers", "", "bert", WeightRoots((tmp_path,)))


def test_an_unknown_library_is_one_clear_error():
    with pytest.raises(BadWeights, match="tower library 'tim' is unknown; known: timm"):
        build_tower(TowerSpec("tim", "test_vit"))

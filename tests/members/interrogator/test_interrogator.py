"""The interrogator as a member: options, thresholds, composition, towers of transformers."""

import numpy as np
import pytest
import torch
from tiny_clip import captioned, look, ours, pictures, prompts, save_tiny

from prompt_ensemble.core.errors import BadConfig, BadWeights
from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.members.interrogator.interrogator_predictor import (
    InterrogatorOptions,
    InterrogatorPredictor,
)
from prompt_ensemble.members.registry import predictor_class
from prompt_ensemble.models.two_sided_towers.tower_source import find_tower
from prompt_ensemble.models.weights import WeightRoots

IMAGES = pictures(3)
CAPTIONS = captioned(IMAGES)


@pytest.fixture(scope="module")
def tower(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tower") / "tiny"
    save_tiny(folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lists")
    for name, text in {
        "artists": "Ann\nBob", "flavors": "red\ngreen\nblue\ndark", "mediums": "oil\nink",
        "movements": "cubism", "negative": "blurry",
    }.items():  # fmt: skip
        (folder / f"{name}.txt").write_text(text)
    return folder


def test_the_seed_kernels_classic_has_neither_artist_nor_site(tower, data):
    counts = {"artists": 0, "trendings": 0}
    found = look(ours(tower, CAPTIONS, data, mode="classic", counts=counts), IMAGES)
    for name, row in zip(IMAGES, found.lines, strict=True):
        phrase_of = {line.kind: line.text for line in row}
        flavors = [line.text for line in row if line.kind == "flavor"]
        caption = CAPTIONS.take([name]).lines[0][0].text
        parts = [caption, phrase_of["medium"], phrase_of["movement"], *flavors]
        assert phrase_of["prompt"] == ", ".join(parts)
        assert len(flavors) == 3


def test_prompts_do_not_depend_on_the_batch(tower, data):
    opened = ours(tower, CAPTIONS, data)
    whole = prompts(look(opened, IMAGES))
    alone = [prompts(look(opened, {name: image}))[0] for name, image in IMAGES.items()]
    assert whole == alone


def test_without_a_captioner_prompts_are_phrases(tower, data):
    row = look(ours(tower, None, data, flavors=2), IMAGES).lines[0]
    assert row[0].text == f"{row[1].text}, {row[2].text}"


def test_phrases_below_a_lists_threshold_leave_room_for_others(tower, data):
    free = look(ours(tower, None, data, flavors=32), IMAGES).lines[0][1:]
    held = look(ours(tower, None, data, flavors=3, thresholds={"trendings": 2.0}), IMAGES).lines[0]
    others = [line.text for line in free if line.kind != "trending"][:3]
    assert [line.text for line in held[1:]][: len(others)] == others
    assert len(held) == 4


def letters(texts):
    """Texts as unit vectors of their first letter."""
    rows = np.zeros((len(texts), 384), np.float32)
    rows[range(len(texts)), [ord(text[0]) for text in texts]] = 1
    return rows


def test_the_vector_can_be_a_weighted_mean_of_the_phrases(tower):
    options = InterrogatorOptions(composition="phrases", weights={"caption": 3.0})
    member = InterrogatorPredictor(str(tower), options, WeightRoots(()))
    row = [Line("prompt", "z", 0.0), Line("caption", "a", 0.0), Line("flavor", "b", 0.5)]
    vector = member.embed(Outputs.of_lines(["x"], [row]), letters).vectors[0]
    assert vector[ord("a")] == pytest.approx(3 * vector[ord("b")])
    assert vector[ord("z")] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"counts": {"flavours": 1}}, "flavors"),
        ({"counts": {"flavors": 1.5}}, "whole"),
        ({"thresholds": {"flavors": "high"}}, "number"),
        ({"flavors": 0}, "1 or more"),
        ({"mode": "best", "composition": "phrases"}, "composition"),
        ({"lists": {"flavour": "x"}}, "flavors"),
    ],
)
def test_options_that_make_no_sense_are_one_clear_error(options, message, tower):
    with pytest.raises(BadConfig, match=message):
        InterrogatorPredictor(str(tower), InterrogatorOptions(**options), WeightRoots(()))


def test_the_composition_does_not_make_findings_stale(tower):
    def identity(**options):
        chosen = InterrogatorOptions(**options)
        return InterrogatorPredictor(str(tower), chosen, WeightRoots(())).identity()

    assert identity() == identity(composition="phrases", weights={"caption": 2.0})
    assert identity() != identity(flavors=5)


def test_a_damaged_checkpoint_is_reported(tmp_path, data):
    folder = tmp_path / "tiny"
    save_tiny(folder)
    (folder / "open_clip_model.safetensors").write_bytes(b"cut")
    with pytest.raises(BadWeights, match="damaged"):
        ours(folder, None, data)


def test_transformers_clip_is_a_tower_too(tmp_path, data):
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizerFast

    folder = tmp_path / "hf"
    save_hugging_face(folder, CLIPConfig, CLIPModel, CLIPImageProcessor, CLIPTokenizerFast)
    assert find_tower(str(folder), "", WeightRoots(())).kind == "transformers"
    opened = ours(folder, None, data, flavors=2)
    tower = opened.whole.tower
    texts = ["dark red", "oil", "a much longer text than these"]
    together = tower.encode_texts(texts)
    alone = torch.cat([tower.encode_texts([text]) for text in texts])
    assert torch.allclose(together, alone, atol=1e-5)
    assert all(prompts(look(opened, IMAGES)))
    assert tower.is_full("red " * 80) and not tower.is_full("red")


def save_hugging_face(folder, config_class, model_class, processor_class, tokenizer_class):
    """A tiny CLIP folder with a vocabulary of letters."""
    import json

    folder.mkdir()
    letters = [chr(n) for n in range(33, 127)]
    words = [*letters, *(f"{c}</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = tokenizer_class(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.save_pretrained(folder)
    layers = {"num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 32}
    small = {**layers, "intermediate_size": 32}
    end = len(words) - 1
    text = {**small, "vocab_size": len(words), "eos_token_id": end, "bos_token_id": end - 1}
    torch.manual_seed(0)
    config = config_class(
        text_config=text, vision_config={**small, "image_size": 32, "patch_size": 16},
        projection_dim=16,
    )  # fmt: skip
    model_class(config).save_pretrained(folder)
    processor = processor_class(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor.save_pretrained(folder)


def test_the_registry_knows_the_kind():
    assert predictor_class("interrogator") is InterrogatorPredictor

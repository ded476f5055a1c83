"""Every family of metadata read back, and what tells that a prompt is not all."""

import json
import time
from pathlib import Path

import pytest
from generated_images import (
    FAMILIES,
    NEGATIVE,
    PROMPT,
    SEED,
    SETTINGS,
    comfyui_graph,
    comfyui_workflow,
    invokeai,
    novelai,
    parameters,
    png,
)

from prompt_ensemble.data.gathering.cleaning import clean_prompt
from prompt_ensemble.data.gathering.generation import CONTROLNET, GRID, IMG2IMG, INPAINTING
from prompt_ensemble.data.gathering.kinds import kind_of_name
from prompt_ensemble.data.gathering.readers.order import read_generation
from prompt_ensemble.images.embedded_texts import decode_with_texts


def generation_in(content: bytes):
    _, texts = decode_with_texts(content, Path("a.png"))
    return read_generation(texts)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_prompt_of_every_family_is_read_back(family):
    tool, write = FAMILIES[family]
    found = generation_in(write())
    assert clean_prompt(found.prompt) == PROMPT
    assert found.tool == tool
    assert found.kinds == ()


@pytest.mark.parametrize("family", ["AUTOMATIC1111 PNG", "ComfyUI", "InvokeAI", "NovelAI",
                                    "Fooocus JPEG", "SwarmUI PNG", "Draw Things XMP"])  # fmt: skip
def test_what_stands_beside_the_prompt_is_read_too(family):
    found = generation_in(FAMILIES[family][1]())
    assert found.negative == NEGATIVE
    assert found.seed == str(SEED)
    assert found.sampler and found.model
    assert found.certainty == "certain"


def test_weights_and_tags_are_left_in_the_prompt_as_it_was_typed():
    for typed in ("(a fox:1.3), [snow] <lora:detail:0.5>", "[a fox, snow], art", "{{a fox}}, snow"):
        assert generation_in(png({"parameters": parameters(typed)})).prompt == typed
        assert generation_in(png({"parameters": typed})).prompt == typed


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ("Denoising strength: 0.6", IMG2IMG),
        ("Denoising strength: 0.75, Mask blur: 4", INPAINTING),
        ('ControlNet 0: "Module: canny, Model: control_canny, Weight: 1"', CONTROLNET),
        ("Script: X/Y/Z plot, X Type: Steps", GRID),
    ],
)
def test_settings_tell_that_more_than_a_prompt_took_part(settings, kind):
    found = generation_in(png({"parameters": parameters(settings=f"{SETTINGS}, {settings}")}))
    assert kind in found.kinds


def test_enlarging_is_no_img2img():
    settings = f"{SETTINGS}, Denoising strength: 0.4, Hires upscale: 2, Hires upscaler: Latent"
    assert generation_in(png({"parameters": parameters(settings=settings)})).kinds == ()


def test_a_grid_is_known_by_its_name():
    assert kind_of_name("out/grid-0001.png") == (GRID,)
    assert kind_of_name("out/gridlock in a city.png") == ()


@pytest.mark.parametrize("workflow", [True, False])
def test_a_graph_tells_what_took_part(workflow):
    graph = comfyui_graph(
        **{
            "8": {"class_type": "LoadImage", "inputs": {"image": "a.png"}},
            "9": {"class_type": "VAEEncode", "inputs": {"pixels": ["8", 0], "vae": ["4", 2]}},
            "10": {"class_type": "ControlNetApply", "inputs": {"conditioning": ["6", 0]}},
        }
    )
    graph["3"]["inputs"]["latent_image"] = ["9", 0]
    texts = {"prompt": json.dumps(graph)}
    if workflow:
        texts["workflow"] = json.dumps(comfyui_workflow())
    assert set(generation_in(png(texts)).kinds) == {IMG2IMG, CONTROLNET}


def test_the_prompt_is_followed_through_guiders_and_texts_of_other_nodes():
    graph = {
        "1": {"class_type": "StringLiteral", "inputs": {"string": PROMPT}},
        "2": {"class_type": "CLIPTextEncodeFlux", "inputs": {"t5xxl": ["1", 0], "clip": ["9", 0]}},
        "3": {"class_type": "FluxGuidance", "inputs": {"conditioning": ["2", 0], "guidance": 3}},
        "4": {"class_type": "BasicGuider", "inputs": {"model": ["8", 0], "conditioning": ["3", 0]}},
        "5": {"class_type": "SamplerCustomAdvanced", "inputs": {"guider": ["4", 0],
              "noise": ["6", 0], "sampler": ["7", 0], "latent_image": ["10", 0]}},
        "6": {"class_type": "RandomNoise", "inputs": {"noise_seed": SEED}},
        "7": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
        "8": {"class_type": "UNETLoader", "inputs": {"unet_name": "flux1-dev"}},
    }  # fmt: skip
    found = generation_in(png({"prompt": json.dumps(graph)}))
    assert (found.prompt, found.seed, found.sampler, found.model, found.negative) == (
        PROMPT, str(SEED), "euler", "flux1-dev", "",
    )  # fmt: skip


def test_both_sides_of_a_control_network_stay_apart():
    graph = comfyui_graph(
        **{
            "11": {
                "class_type": "ControlNetApplyAdvanced",
                "inputs": {"positive": ["6", 0], "negative": ["7", 0], "strength": 1},
            }
        }
    )
    graph["3"]["inputs"] |= {"positive": ["11", 0], "negative": ["11", 1]}
    found = generation_in(png({"prompt": json.dumps(graph)}))
    assert (found.prompt, found.negative) == (PROMPT, NEGATIVE)


def test_a_graph_that_bites_its_tail_ends():
    graph = comfyui_graph()
    graph["6"]["inputs"] = {"conditioning": ["3", 0], "text": ["6", 0]}
    assert generation_in(png({"prompt": json.dumps(graph)})) is None


def test_invokeais_mode_is_read():
    record = {**invokeai(), "generation_mode": "inpaint", "controlnets": [{"image": "x"}]}
    found = generation_in(png({"invokeai_metadata": json.dumps(record)}))
    assert set(found.kinds) == {INPAINTING, CONTROLNET}


@pytest.mark.parametrize("name", ["parameters", "Dream", "Description", "prompt", "Source"])
@pytest.mark.parametrize(
    "part", [" ", "\n ", ", ", "[", '"', "Hashes: {", "Mask blur ", "http://a "]
)
def test_no_text_takes_long(name, part):
    texts = novelai() | {name: '"' + part * (2**16 // len(part) - 1)}
    start = time.process_time()
    read_generation(texts)
    read_generation({name: part * (2**20 // len(part))})
    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    "texts",
    [
        {"Software": "gimp"},
        {"Description": "OLYMPUS DIGITAL CAMERA"},
        {"parameters": "{" * 5000},
        {"prompt": "[" * 5000, "workflow": "{}"},
        {"parameters": '{"prompt": 5, "c": []}'},
    ],
)
def test_texts_that_are_no_prompt_are_none(texts):
    assert generation_in(png(texts)) is None
